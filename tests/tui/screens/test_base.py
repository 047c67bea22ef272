"""Keys that arrive together close one screen, not those below it too."""

from pathlib import Path

import pytest
from driving.app import wait_until
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.requests import ShowSessions
from gpubench_tui.tui.screens.dialogs.question import QuestionScreen, stop_question
from gpubench_tui.tui.screens.sessions import SessionsScreen
from textual import events


@pytest.mark.parametrize(
    ("keys", "answer"), [(["y"], "stop"), (["y", "y"], "stop"), (["enter", "enter"], "cancel")]
)
async def test_a_question_is_answered_once(keys: list[str], answer: str, tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ShowSessions())
        await wait_until(pilot, lambda: isinstance(app.screen, SessionsScreen))
        answers: list[str | None] = []
        app.push_screen(stop_question("first"), answers.append)
        await wait_until(pilot, lambda: isinstance(app.screen, QuestionScreen) and app.focused is not None)
        for key in keys:
            app.post_message(events.Key(key, None))
        await wait_until(pilot, lambda: bool(answers))
        await pilot.pause()
        assert answers == [answer]
        assert isinstance(app.screen, SessionsScreen)
