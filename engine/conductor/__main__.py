"""`python -m gpubench_tui.engine.conductor FOLDER`: the session process.

With several folders, or `--after=FOLDER`, it starts such a process for each in its turn.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import msgspec

from ..host.process import redirect_output
from ..record.shelf import SessionFolder
from .conductor import REQUESTS, WORKER, conduct
from .row import conduct_row
from .temporary import open_temporary

EXIT_SECONDS = 5.0
USAGE = "usage: python -m gpubench_tui.engine.conductor [--after=FOLDER ...] FOLDER ..."


def main(path: str, worker: str = WORKER) -> int:
    """Execute the session in that folder and return the exit status; what goes wrong is one sentence."""
    folder = SessionFolder(Path(path).resolve())
    # Whoever sees the lock may ask for an end: it waits until the conductor can answer.
    signal.pthread_sigmask(signal.SIG_BLOCK, REQUESTS)
    try:
        with folder.hold():
            if folder.journal.exists():
                raise RuntimeError("it has a journal already")
            redirect_output(folder.log)
            logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
            status = conduct(folder, open_temporary(), worker)
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


def _main(arguments: list[str]) -> int:
    after = [argument.removeprefix("--after=") for argument in arguments if argument.startswith("--")]
    paths = arguments[len(after) :]
    if not paths:
        print(USAGE, file=sys.stderr)
        return 2
    if after or len(paths) > 1:
        row, before = ([SessionFolder(Path(path)) for path in group] for group in (paths, after))
        return conduct_row(row, before)
    return main(paths[0])


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
