"""A line that drops costs nothing: the app ends at once, the session goes on, `attach` finds it again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building.session_process import Starter
from driving.terminal import Terminal, wait_for
from gpubench_tui.engine.conductor import control
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf

pytestmark = pytest.mark.slow


@pytest.fixture
def watched(running_session: Starter) -> Iterator[Callable[[], tuple[Terminal, SessionFolder]]]:
    """Opens the monitor of a pretended session, on a terminal."""
    terminals: list[Terminal] = []
    folders: list[SessionFolder] = []

    def attach() -> tuple[Terminal, SessionFolder]:
        folder = folders[0] if folders else running_session(2, 6.7)
        folders.append(folder)
        terminal = Terminal("attach", folder.name, "--sessions-dir", str(folder.path.parent))
        terminals.append(terminal)
        terminal.read_until("running", "6,404 samples/s")
        return terminal, folder

    yield attach
    for terminal in terminals:
        terminal.kill()


Attach = Callable[[], tuple[Terminal, SessionFolder]]


@pytest.mark.parametrize("ignored", [False, True], ids=["hung up", "hang-up ignored"])
def test_the_terminal_closes(watched: Attach, ignored: bool) -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        terminal, folder = watched()
    finally:
        signal.signal(signal.SIGHUP, previous)
    terminal.close()
    assert terminal.status() in (128 + signal.SIGHUP, -signal.SIGHUP)
    assert folder.is_running()
    watched()


def test_the_app_is_killed(watched: Attach) -> None:
    terminal, folder = watched()
    os.kill(terminal.pid, signal.SIGKILL)
    assert terminal.status() == -signal.SIGKILL
    assert folder.is_running()
    watched()


def test_one_key_detaches_and_says_how_to_come_back(watched: Attach) -> None:
    terminal, folder = watched()
    terminal.press("d")
    terminal.read_until(
        "\x1b[?1049l", f"{folder.name} keeps running; to return: gpubench-tui attach {folder.name}"
    )
    assert terminal.status() == 0
    assert folder.is_running()
    watched()


def test_a_terminal_that_nobody_reads_closes(watched: Attach) -> None:
    terminal, folder = watched()
    stall(terminal)
    terminal.close()
    assert terminal.status() in (128 + signal.SIGHUP, -signal.SIGHUP)
    assert folder.is_running()


def test_told_to_go_while_nobody_reads_it_goes(watched: Attach) -> None:
    terminal, folder = watched()
    stall(terminal)
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.status() == 128 + signal.SIGTERM
    assert folder.is_running()


def test_a_terminal_that_is_read_again_shows_what_is_and_answers(watched: Attach) -> None:
    terminal, _ = watched()
    stall(terminal)
    terminal.press("?")
    terminal.read_until("This screen")


def test_it_may_be_resized_at_any_moment(watched: Attach) -> None:
    terminal, _ = watched()
    for size in ((40, 12), (200, 50), (20, 5), (80, 15), (120, 40), (1, 1), (80, 24)):
        terminal.resize(size)
        time.sleep(0.02)
    terminal.press("?")
    terminal.read_until("This screen")


def test_a_real_session_goes_on_through_all_of_it(tmp_path: Path) -> None:
    place = ("--sessions-dir", str(tmp_path))
    endless = (
        "--set=measure.seconds=600",
        "--set=measure.target=0",
        "--set=workload.images=512",
        "--set=workload.model=lenet",
    )
    terminal = Terminal("run", "quickstart", "--name", "long", *endless, *place)
    wait_for(lambda: bool(Shelf(tmp_path).all()))
    (folder,) = Shelf(tmp_path).all()
    try:
        terminal.read_until("running", "window 2")
        stall(terminal)
        assert grows(folder), "while nobody reads the terminal"
        terminal.press("t")
        terminal.read_until("so far")
        terminal.kill()
        assert grows(folder), "after the app was killed"
        terminal = Terminal("attach", *place)
        terminal.read_until("running", folder.name, "window ")
        terminal.press("d")
        assert terminal.status() == 0
        assert grows(folder), "after detaching"
    finally:
        terminal.kill()
        control.stop_session(folder)
        wait_for(lambda: not folder.is_running())


def grows(folder: SessionFolder) -> bool:
    """Whether more steps are recorded before long."""
    before = folder.journal.stat().st_size
    wait_for(lambda: folder.journal.stat().st_size > before + 2000)
    return True


def stall(terminal: Terminal) -> None:
    """Have the app draw more than the terminal holds, and wait until it is stuck."""
    for turn in range(40):
        terminal.resize((200, 50 - turn % 2))
        terminal.press("\x1b[12~")  # F2: another theme, all is drawn anew
        time.sleep(0.02)
    wait_for(lambda: used_seconds(terminal.pid, 0.3) < 0.05)


def used_seconds(pid: int, during: float) -> float:
    """Processor time that the process uses while that long passes."""
    before = processor_seconds(pid)
    time.sleep(during)
    return processor_seconds(pid) - before


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
