"""`python -m gpubench_tui.engine.conductor FOLDER`: the session process."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import msgspec

from ..record.shelf import SessionFolder
from ..training.process import redirect_output
from .conductor import REQUESTS, WORKER, conduct

EXIT_SECONDS = 5.0


def main(path: str, worker: str = WORKER) -> int:
    """Execute the session in that folder and return the exit status; what goes wrong is one sentence."""
    folder = SessionFolder(Path(path).resolve())
    # Whoever sees the lock may ask for an end: it waits until the conductor can answer.
    signal.pthread_sigmask(signal.SIG_BLOCK, REQUESTS)
    try:
        with folder.hold():
            redirect_output(folder.log)
            logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
            status = conduct(folder, worker)
            _leave_soon(status)
            return status
    except (RuntimeError, OSError, msgspec.DecodeError) as error:
        print(f"The session in {folder.path} cannot be run: {error}", file=sys.stderr)
        return 1


def _leave_soon(status: int) -> None:
    # On its way out Python waits for every process that multiprocessing started; one may never go.
    timer = threading.Timer(EXIT_SECONDS, os._exit, (status,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: python -m gpubench_tui.engine.conductor FOLDER", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
