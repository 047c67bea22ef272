"""The app leaves when it is told to, whatever its threads are doing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import termios
import threading
from pathlib import Path

import psutil
import pytest
from driving.terminal import Terminal, wait_for
from gpubench_tui.tui.terminal import leaving
from gpubench_tui.tui.terminal.leaving import LeavableExecutor

HANGING = """
import sys, threading
from gpubench_tui.tui.cli.entry import main
from gpubench_tui.tui.data import planned_presets
planned_presets.inspect_host = lambda _: threading.Event().wait()
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["key", "signal"])
def test_it_leaves_while_the_machine_is_inspected_for_ever(tmp_path: Path, how: str) -> None:
    terminal = Terminal("--sessions-dir", str(tmp_path), program=("-c", HANGING))
    try:
        terminal.read_until("inspecting this machine", "Quit")
        if how == "key":
            terminal.press("q")
            terminal.read_until("\x1b[?1049l")
        else:
            os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.status() == (0 if how == "key" else 128 + signal.SIGTERM)
    finally:
        terminal.kill()


ELSEWHERE = """
import os, sys
os.dup2(int(sys.argv.pop(1)), 2)
from gpubench_tui.tui.cli.entry import main
sys.exit(main())
"""


@pytest.mark.slow
def test_it_ends_with_the_terminal_that_it_writes_to(tmp_path: Path) -> None:
    master, slave = os.openpty()
    os.set_inheritable(slave, True)
    place = ("--sessions-dir", str(tmp_path))
    terminal = Terminal(str(slave), *place, program=("-c", ELSEWHERE))
    try:
        os.close(slave)
        shown = b""
        while b"Quit" not in shown:
            shown += os.read(master, 1 << 16)
        os.close(master)
        assert terminal.status() == 128 + signal.SIGHUP
    finally:
        terminal.kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    "signals",
    [[signal.SIGTSTP, signal.SIGCONT], [signal.SIGSTOP, signal.SIGCONT], [signal.SIGCONT]],
    ids=["suspended", "stopped", "only continued"],
)
def test_a_stopped_and_continued_app_leaves_the_terminal_as_it_found_it(
    tmp_path: Path, signals: list[signal.Signals]
) -> None:
    terminal = Terminal("--sessions-dir", str(tmp_path))
    try:
        before = termios.tcgetattr(terminal.file)
        terminal.read_until("Quit")
        for number in signals:
            sent = terminal.output.count(b"\x1b[?1049h")
            os.kill(terminal.pid, number)
            if number == signal.SIGCONT:
                while terminal.output.count(b"\x1b[?1049h") == sent:
                    terminal.read_more()
            else:
                wait_for(lambda: psutil.Process(terminal.pid).status() == psutil.STATUS_STOPPED)
        terminal.press("?")
        terminal.read_until("esc Close")
        terminal.press("qq")
        terminal.read_until("never sent")  # which ends with the app
        assert terminal.status() == 0
        assert termios.tcgetattr(terminal.file) == before
        for on in re.findall(rb"\x1b\[\?(?:1049|1000|1003|1006|1004|2004)h", terminal.output):
            assert terminal.output.rfind(on) < terminal.output.rfind(on[:-1] + b"l"), on
        assert terminal.output.count(b"\x1b[<u") == terminal.output.count(b"\x1b[>25u")
    finally:
        terminal.kill()


def test_calls_that_end_soon_are_waited_for_and_those_that_hang_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leaving, "LEAVE_SECONDS", 0.1)
    never, done = threading.Event(), threading.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(LeavableExecutor())
        loop.run_in_executor(None, never.wait)
        loop.run_in_executor(None, done.set)

    asyncio.run(main())
    assert done.is_set()
    assert not never.is_set()
    never.set()
