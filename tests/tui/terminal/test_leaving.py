"""The app leaves when it is told to, whatever its threads are doing."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest
from driving.terminal import Terminal
from gpubench_tui.tui.terminal import leaving
from gpubench_tui.tui.terminal.leaving import LeavableExecutor

HANGING = """
import sys, threading
from gpubench_tui.tui.cli.main import main
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
