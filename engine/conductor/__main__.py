"""`python -m gpubench_tui.engine.conductor FOLDER`: the session process.

With several folders, or with `--after=FOLDER`, it starts one such process after the other.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

import msgspec

from ..host.process import flush_output, redirect_output
from ..host.shortage import shortage
from ..record.events import SessionFinished
from ..record.exit_status import RUN_FAILED
from ..record.session_folder import SessionFolder
from ..text.plain import message_of
from .conductor import REQUESTS, WORKER, conduct
from .processes.temporary import open_temporary
from .queue import conduct_queue
from .recorder import write_unstarted
from .start import ANYWAY

EXIT_SECONDS = 5.0
USAGE = "usage: python -m gpubench_tui.engine.conductor [--anyway] [--after=FOLDER ...] FOLDER ..."


def main(path: str, worker: str = WORKER) -> int:
    """Execute the session in that folder and return the exit status; print an error as one sentence."""
    folder = SessionFolder(Path(path).resolve())
    # Anyone who sees the lock may send a request: it stays pending until the conductor can handle it.
    signal.pthread_sigmask(signal.SIG_BLOCK, REQUESTS)
    try:
        with folder.hold():
            if folder.journal.exists():
                raise RuntimeError("it has a journal already")
            redirect_output(folder.log)
            logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
            try:
                status = conduct(folder, open_temporary(), worker)
            except (OSError, msgspec.DecodeError) as error:
                return _give_up(folder, error)
            _leave_soon(status)
            return status
    except (RuntimeError, OSError) as error:
        print(f"The session in {folder.path} cannot be run: {error}", file=sys.stderr)
        return RUN_FAILED


def _give_up(folder: SessionFolder, error: Exception) -> int:
    """Say in the log, and in a journal that holds nothing else, why the session could not begin."""
    why = shortage(error) if isinstance(error, OSError) else message_of(error)
    folder.give_reserve()
    print(f"The session in {folder.path} cannot be run: {why}", file=sys.stderr, flush=True)
    with contextlib.suppress(OSError, msgspec.DecodeError):
        if not folder.journal.exists() or not folder.journal.stat().st_size:
            ended = SessionFinished(at=0.0, outcome="interrupted", reason=why)
            write_unstarted(folder, "the session ended before this run began", ended)
    return RUN_FAILED


def _leave_soon(status: int) -> None:
    # At exit Python joins every process that multiprocessing started, and one may never end.
    timer = threading.Timer(EXIT_SECONDS, os._exit, (status,))
    timer.daemon = True
    timer.start()


def _exit_at_once(status: int) -> NoReturn:
    """End the process without waiting for libraries that the launch of a stopped run still loads."""
    atexit._run_exitfuncs()
    flush_output()
    os._exit(status)


def _main(arguments: list[str]) -> int:
    os.umask(os.umask(0o077) & 0o077)  # some take away what the program itself needs
    options = [argument for argument in arguments if argument.startswith("--")]
    after = [option.removeprefix("--after=") for option in options if option != ANYWAY]
    paths = arguments[len(options) :]
    if not paths:
        print(USAGE, file=sys.stderr)
        return 2
    if after or len(paths) > 1:
        queue, before = ([SessionFolder(Path(path)) for path in group] for group in (paths, after))
        return conduct_queue(queue, before, anyway=ANYWAY in options)
    return main(paths[0])


if __name__ == "__main__":
    _exit_at_once(_main(sys.argv[1:]))
