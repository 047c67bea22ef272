"""The replay of recorded sessions: time stands still, goes faster, and can be sought in."""

from __future__ import annotations

from pathlib import Path

import pytest
from building.recorded import shelve
from driving.app import monitor, screen_text, wait_for_text, wait_until, watching
from gpubench_tui.engine.record.journal import last_moment
from gpubench_tui.tui.screens.replay import ReplayScreen
from gpubench_tui.tui.screens.results import ResultsScreen
from gpubench_tui.tui.widgets.timeline import Timeline
from textual.pilot import Pilot

pytestmark = pytest.mark.slow

SLOW = 0.1
"""A speed at which a replay is still at its beginning when the test comes to look."""


async def moved(pilot: Pilot[int], key: str) -> float:
    """The position that a key leads to."""
    screen = monitor(pilot.app)  # type: ignore[arg-type]
    assert isinstance(screen, ReplayScreen)
    await pilot.press(key)
    await wait_until(pilot, lambda: screen._ready)
    return screen._feed.position


async def test_a_replay_keeps_to_its_speed_and_can_be_left_without_a_question(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 0), speed=SLOW)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await wait_for_text(pilot, "replay", "▶ single x1", "0.1x speed", "of 0:13")
        assert "Stop" not in text and "Pause" in text and "Back" in text
        assert "✓" not in text
        await pilot.press("q")
        await wait_until(pilot, lambda: app._exit)
    assert app.return_value == 0


async def test_the_arrows_seek_in_both_directions(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 2), speed=SLOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "▶ single x1")
        await pilot.press("space")
        await wait_for_text(pilot, "■ paused")
        at = await moved(pilot, "shift+right")
        assert at >= 10.0
        await wait_for_text(pilot, "✓ dp x2", "12,316 samples/s  1.92x", "▶ ddp x2", "0:10 of 0:13")
        assert await moved(pilot, "left") < at
        for _ in range(20):
            at = await moved(pilot, "left")
        assert at == monitor(app).session.elapsed == 0.0
        text = await wait_for_text(pilot, "▶ single x1", "■ paused")
        assert "✓" not in text


async def test_keys_held_down_seek_to_where_they_add_up(tmp_path: Path) -> None:
    folder = shelve(tmp_path, 2)
    app = watching(folder, speed=SLOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "▶ single x1")
        await pilot.press("space", *["right"] * 10)
        await wait_for_text(pilot, "■ paused", "✓ single x1", "▶ dp x2")
        position = monitor(app)._feed.position  # type: ignore[attr-defined]
        assert 0.5 < position / last_moment(folder.journal) < 0.6


async def test_a_replay_that_has_ended_plays_again(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 2), speed=100.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "Results", "1.00x")
        assert isinstance(app.screen, ResultsScreen)
        await pilot.press("m")
        await wait_for_text(pilot, "finished", "■ at its end")
        await moved(pilot, "left")
        await wait_until(pilot, lambda: isinstance(app.screen, ResultsScreen))


async def test_seeking_to_the_end_shows_it_and_stays(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 2), speed=SLOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "▶ single x1")
        await pilot.press("shift+right", "shift+right")
        await wait_for_text(pilot, "finished", "■ at its end", "✓ ddp x2")
        assert isinstance(app.screen, ReplayScreen)
        await pilot.press("space")
        await wait_for_text(pilot, "▶ 0.1x speed", "▶ single x1")


async def test_the_speed_goes_up_and_down_in_steps(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 2, repeats=20), speed=3.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "3x speed")
        await pilot.press("minus")
        await wait_for_text(pilot, "▶ 2x speed")
        await pilot.press("space", "minus", "minus", "minus", "space")
        await wait_for_text(pilot, "▶ 1x speed")
        await pilot.press("plus", "equals_sign")
        await wait_for_text(pilot, "▶ 5x speed")


async def test_a_click_on_the_line_of_time_seeks(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 2), speed=SLOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "▶ single x1")
        await pilot.press("space")
        await pilot.click(Timeline, offset=(74, 0))
        await wait_for_text(pilot, "✓ dp x2", "▶ ddp x2", "0:12 of 0:13")


async def test_a_big_journal_does_not_freeze_the_app(tmp_path: Path) -> None:
    folder = shelve(tmp_path, 2)
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    steps = [line for line in lines if b'"steps"' in line[:20]]
    body = lines[:-1] + steps * 600 + lines[-1:]
    folder.journal.write_bytes(b"".join(body))
    app = watching(folder, speed=1e9)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "replay")
        await pilot.press("question_mark")
        await wait_for_text(pilot, "This screen")
        assert monitor(app).session.outcome is None
        await pilot.press("escape")
        await wait_for_text(pilot, "speedup")
        assert "replay" not in screen_text(app)
