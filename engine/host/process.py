"""Behaviour of a child process: it prints to its own log and never outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import io
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from ..text.files import make_private_folder

PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>


def print_error() -> None:
    """Print the traceback of the current exception, if it can be: the log's disk may be full."""
    with contextlib.suppress(Exception):
        traceback.print_exc()


def flush_output() -> None:
    """Write out what was printed, if it can be; streams may be closed, or replaced by a user's code."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def redirect_output(log: Path) -> None:
    """Send all that this process and its libraries print to a file that only the user can read."""
    flush_output()
    make_private_folder(log.parent)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Whatever a model prints, a lone surrogate for instance, must not end its rank.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def die_with_parent() -> None:
    """Make the system kill this process as soon as its parent is gone, whatever ended it."""
    parent = os.getppid()
    starter = multiprocessing.parent_process()
    if sys.platform == "linux":
        signal_at_end_of_parent(signal.SIGKILL)
    elif starter is not None:
        threading.Thread(target=_exit_after, args=(starter.sentinel,), daemon=True).start()
    # The parent may have gone before the kernel was told.
    if os.getppid() != parent or (starter is not None and not starter.is_alive()):
        os._exit(1)


def signal_at_end_of_parent(number: signal.Signals) -> None:
    """On Linux, have this process signalled when the thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def _exit_after(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
