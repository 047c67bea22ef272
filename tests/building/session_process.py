"""A session process for the screens: `python -m building.session_process FOLDER GPUS UNTIL`.

It writes a made-up journal up to a moment, holds the session's lock, and ends in order when told to stop.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from gpubench_tui.engine.record.events import RunFinished, SessionFinished
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session_folder import SessionFolder

from . import recorded

TESTS = Path(__file__).parent.parent
PATIENCE_SECONDS = 240.0
Starter = Callable[[int, float], SessionFolder]
"""Starts the process of a session on so many GPUs, recorded up to that second; returns its folder."""


def start_process(folder: SessionFolder, gpus: int, until: float) -> subprocess.Popen[bytes]:
    """Start such a process and wait until the session runs."""
    arguments = [str(folder.path), str(gpus), str(until)]
    process = subprocess.Popen([sys.executable, "-m", "building.session_process", *arguments], cwd=TESTS)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not folder.is_running():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    return process


def main() -> None:
    folder, gpus, until = SessionFolder(Path(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3])
    told, stop = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: (stop.set(), told.set()))
    signal.signal(signal.SIGUSR1, lambda *_: told.set())
    journal = Journal(folder.journal)
    with folder.hold():
        running = None
        for event in recorded.session_events(gpus):
            if event.at > until:
                break
            running = getattr(event, "run", running)
            journal.append(event)
        while not stop.is_set():
            told.wait()
            told.clear()
            if running is not None:
                outcome = "stopped" if stop.is_set() else "skipped"
                journal.append(
                    RunFinished(at=until, run=running, outcome=outcome, reason=f"{outcome} by the user")
                )
                running = None
        journal.append(SessionFinished(at=until, outcome="stopped"))


if __name__ == "__main__":
    main()
