"""The sessions screen: what it lists, what opens, and what is done with sessions there."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from building.recorded import shelve
from building.session_process import Starter
from driving.app import SIZES, screen_text, turns, wait_for_text, wait_until, watching
from gpubench_tui.engine.record.events import SessionFinished
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.data import shelf_watch
from gpubench_tui.tui.requests import ShowComparison, ShowResults, ShowSessions
from gpubench_tui.tui.screens.launch import LaunchScreen
from gpubench_tui.tui.screens.monitor import MonitorScreen
from gpubench_tui.tui.screens.replay import ReplayScreen
from gpubench_tui.tui.screens.sessions import SessionsScreen
from gpubench_tui.tui.widgets.session_browser import SessionBrowser, SessionList
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Input

pytestmark = pytest.mark.slow


class Asked:
    """What the screen asks the app for: the message, and the names of its sessions."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def __call__(self, message: Message) -> None:
        """Take in a message, which comes by once for each that it bubbles through."""
        if isinstance(message, ShowResults | ShowComparison) and message not in self.messages:
            self.messages.append(message)


def aged(folder: SessionFolder, age: int) -> SessionFolder:
    """The folder, made so many seconds ago."""
    os.utime(folder.plan, (1.7e9 - age, 1.7e9 - age))
    return folder


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_watch, "WATCH_SECONDS", 0.05)


@pytest.fixture
def folders(tmp_path: Path) -> list[SessionFolder]:
    """Three sessions, newest first."""
    return [
        aged(shelve(tmp_path, 2, name="newest"), 1),
        aged(shelve(tmp_path, 0, name="middle", fail="05"), 2),
        aged(shelve(tmp_path, 8, name="oldest", until=5.0), 3),
    ]


async def opened(pilot: Pilot[int], *texts: str) -> str:
    """The sessions screen, once these texts stand on it."""
    await pilot.pause()
    pilot.app.post_message(ShowSessions())
    return await wait_for_text(pilot, "Sessions  ", *texts)


def highlighted(app: GpubenchApp) -> str | None:
    return app.screen.query_one(SessionList).highlighted


@pytest.mark.parametrize("size", SIZES)
async def test_all_sessions_newest_first(
    folders: list[SessionFolder], tmp_path: Path, size: tuple[int, int]
) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        text = await opened(pilot, "dp on 2 devices is 1.92x", "one wrapped device", "single x1 tr")
        lines = text.splitlines()
        rows = [next(line for line in lines if line[3:].startswith(folder.name)) for folder in folders]
        assert [lines.index(row) for row in rows] == [2, 3, 4]
        assert "finished" in rows[0] and "interrupted" in rows[2]
        assert ("2 of 6, 1 failed" in rows[1]) == (size[0] > 80)
        assert ("scaling  " in rows[0]) == (size[0] > 80)
        assert "gpubench-tui 0.1.0 on bench01: 2 x NVIDIA H200" in text
        assert str(tmp_path)[: size[0] - 30] in text  # a narrow window cuts the end of a long path
        assert "Open" in text and "Replay" in text and "Quit" in text


async def test_no_sessions_names_the_next_key(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await opened(pilot, "No sessions yet. Press Escape, then Enter, to start")
        assert "Delete" not in text
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_the_key_opens_the_list_from_anywhere_and_closes_it(
    folders: list[SessionFolder], tmp_path: Path
) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("o")
        await wait_for_text(pilot, "Sessions  3")
        await pilot.press("r")
        await wait_until(pilot, lambda: isinstance(app.screen, ReplayScreen))
        await pilot.press("o")
        await wait_until(pilot, lambda: isinstance(app.screen, SessionsScreen))
        assert len(app.screen_stack) == 2
        await pilot.press("o")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_a_session_that_is_over_opens_its_results(folders: list[SessionFolder], tmp_path: Path) -> None:
    app, asked = GpubenchApp(tmp_path), Asked()
    async with app.run_test(size=(120, 40), message_hook=asked) as pilot:
        await opened(pilot, "1.92x")
        await pilot.press("down")
        await pilot.click(SessionList, offset=(5, 2))
        await wait_until(pilot, lambda: highlighted(app) == folders[2].name)
        assert asked.messages == []
        await pilot.click(SessionList, offset=(5, 1))
        await pilot.press("enter")
        await wait_until(pilot, lambda: bool(asked.messages))
        assert isinstance(asked.messages[0], ShowResults)
        assert asked.messages[0].folder.name == folders[1].name


async def test_what_recorded_nothing_says_so(
    folders: list[SessionFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders[0].journal.unlink()
    app, asked = GpubenchApp(Path()), Asked()
    async with app.run_test(size=(120, 40), message_hook=asked) as pilot:
        await opened(pilot, "interrupted")
        await pilot.press("enter")
        await wait_for_text(pilot, f"{folders[0].name} recorded nothing;", "session.log.")
        assert asked.messages == []


async def test_a_running_session_is_watched_and_becomes_an_ended_one(
    folders: list[SessionFolder], tmp_path: Path, running_session: Starter
) -> None:
    running = running_session(2, 6.7)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        text = await opened(pilot, "now: dp x2")
        assert next(line for line in text.splitlines() if "now: dp x2" in line)[3:].startswith(running.name)
        for key, done in (("r", "replayed"), ("n", "renamed"), ("x", "deleted")):
            await pilot.press(key)
            await wait_for_text(pilot, f"{running.name} is running: it can be {done} once it has ended")
        await pilot.press("a")
        await wait_until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert isinstance(app.screen, MonitorScreen) and app.screen.folder.name == running.name
        await pilot.press("o")
        await wait_until(pilot, lambda: isinstance(app.screen, SessionsScreen))
        pid = running.pid()
        assert pid is not None
        os.kill(pid, 9)
        await wait_until(pilot, lambda: "now: " not in screen_text(app))
        row = next(line for line in screen_text(app).splitlines() if line[3:].startswith(running.name))
        assert "interrupted" in row


async def test_the_monitor_that_is_open_already_is_gone_back_to(running_session: Starter) -> None:
    folder = running_session(2, 6.7)
    app = watching(folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "running")
        await opened(pilot, "now: dp x2")
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert len(app.screen_stack) == 1


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lines of the list that are drawn, each time."""
    lines: list[int] = []
    render_line = SessionList.render_line

    def note(rows: SessionList, y: int) -> object:
        lines.append(y)
        return render_line(rows, y)

    monkeypatch.setattr(SessionList, "render_line", note)
    return lines


async def test_a_session_that_ends_is_drawn_alone(
    folders: list[SessionFolder], tmp_path: Path, drawn: list[int]
) -> None:
    running = ExitStack()
    running.enter_context(folders[2].hold())
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "running", "1.92x", "now: dp x2")
        await turns(pilot, shelf_watch.WATCH_SECONDS)
        drawn.clear()
        await turns(pilot, shelf_watch.WATCH_SECONDS)
        assert drawn == [], "nothing has changed"
        journal = Journal(folders[2].journal)
        journal.append(SessionFinished(at=5.0, outcome="stopped"))
        journal.close()
        running.close()
        await wait_until(pilot, lambda: "running" not in screen_text(app))
        await wait_for_text(pilot, "stopped")
        assert set(drawn) == {2}


async def test_moving_draws_two_lines(folders: list[SessionFolder], tmp_path: Path, drawn: list[int]) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "1.92x", "single x1 trains")
        await turns(pilot, shelf_watch.WATCH_SECONDS)
        drawn.clear()
        await pilot.press("down")
        await wait_for_text(pilot, f">  {folders[1].name}", f"   {folders[0].name}")
        assert set(drawn) == {0, 1}
        for key, name in (("end", 2), ("up", 1), ("home", 0), ("up", 0), ("pagedown", 2), ("pageup", 0)):
            await pilot.press(key)
            assert highlighted(app) == folders[name].name


async def test_finding_by_words(folders: list[SessionFolder], tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "1.92x", "single x1 trains")
        await pilot.press("slash", *"FAILED wrapped", "enter")
        await wait_for_text(pilot, "Sessions  1 of 3")
        assert highlighted(app) == folders[1].name
        await pilot.press("slash", "q")
        await wait_for_text(pilot, "No session matches 'q'. Escape shows all sessions.")
        await pilot.press("escape")
        await wait_for_text(pilot, "Sessions  3", *(folder.name for folder in folders), "1.92x")
        assert not app.screen.query_one("#find", Input).display
        await pilot.press("slash", *"oldest", "down", "escape")
        await wait_for_text(pilot, "Sessions  3")
        assert isinstance(app.screen, SessionsScreen)


async def test_selected_sessions_are_compared_oldest_first(
    folders: list[SessionFolder], tmp_path: Path
) -> None:
    app, asked = GpubenchApp(tmp_path), Asked()
    async with app.run_test(size=(120, 40), message_hook=asked) as pilot:
        await opened(pilot, "1.92x")
        await pilot.press("c")
        await wait_for_text(pilot, "Select two or more sessions with Space")
        await pilot.press("space", "space", "home", "space", "space", "space")
        await wait_for_text(pilot, "1 selected", f"* {folders[2].name}")
        await pilot.press("home", "c")
        await wait_until(pilot, lambda: bool(asked.messages))
        assert isinstance(asked.messages[0], ShowComparison)
        names = [folder.name for folder in asked.messages[0].folders]
        assert names == [folders[2].name, folders[0].name]


async def test_renaming_checks_the_name_as_it_is_typed(folders: list[SessionFolder], tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1.92x")
        await pilot.press("down", "n")
        await wait_for_text(pilot, f"Rename {folders[1].name} to")
        await pilot.press("slash")
        await wait_for_text(pilot, "is not a valid session name")
        await pilot.press("enter")
        app.screen.query_one(Input).value = folders[0].name
        await wait_for_text(pilot, "already")
        app.screen.query_one(Input).value = "before-upgrade"
        await wait_until(pilot, lambda: "already" not in screen_text(app))
        await pilot.press("enter")
        await wait_for_text(pilot, "  before-upgrade")
        await wait_until(pilot, lambda: highlighted(app) == "before-upgrade")
        assert [each.name for each in Shelf(tmp_path).all()][1] == "before-upgrade"
        await pilot.press("n", "x", "escape")
        await wait_until(pilot, lambda: isinstance(app.screen, SessionsScreen))
        assert [each.name for each in Shelf(tmp_path).all()][1] == "before-upgrade"


async def test_deleting_asks_and_names_what_goes(folders: list[SessionFolder], tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1.92x")
        await pilot.press("x")
        text = await wait_for_text(pilot, "Delete newest-")
        assert "the figures of 3 measured runs" in " ".join(text.replace("│", "").split())
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, SessionsScreen))
        assert folders[0].path.is_dir()
        await pilot.press("space", "space", "x")
        await wait_for_text(pilot, "Yes, delete them")
        await pilot.press("y")
        await wait_for_text(pilot, "Sessions  1 ")
        assert [each.name for each in Shelf(tmp_path).all()] == [folders[2].name]
        await wait_until(pilot, lambda: highlighted(app) == folders[2].name)


async def test_what_cannot_be_deleted_is_said(
    folders: list[SessionFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuse)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1.92x")
        await pilot.press("x")
        await wait_for_text(pilot, "Yes, delete it")
        await pilot.press("y")
        await wait_for_text(pilot, "not all of newest-", "Permission denied", "Sessions  2")


async def test_hundreds_of_sessions_are_listed_at_once_and_results_come_in_sight_first(
    folders: list[SessionFolder], tmp_path: Path
) -> None:
    shelf, request = Shelf(tmp_path), folders[0].request()
    journal = folders[0].journal.read_bytes()
    for number in range(200):
        folder = aged(shelf.create(f"many-{number:03}", request.plan, request.host, ""), 100 + number)
        folder.journal.write_bytes(journal)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 24)) as pilot:
        await opened(pilot, "Sessions  203", "1.92x")
        await pilot.press("end")
        await wait_for_text(pilot, "many-199")
        await wait_until(pilot, lambda: screen_text(app).count("1.92x") > 10)
        browser = app.screen.query_one(SessionBrowser)
        assert browser.highlighted is not None and browser.highlighted.name.startswith("many-199")


async def test_a_long_name_leaves_room_for_the_rest(tmp_path: Path) -> None:
    shelve(tmp_path, 2, name="x" * 90)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await opened(pilot, "1.92x")
        assert "xxx… finished" in text
