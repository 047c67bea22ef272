"""Asking a running session to stop, or to skip a run, from any process of its user on the same machine."""

from __future__ import annotations

import os
import signal

import msgspec

from ..record.shelf import SessionFolder
from .scribe import write_unstarted


def stop(folder: SessionFolder) -> bool:
    """Have the session end, what was measured kept; asked twice it hurries. False: it does not run here.

    One that waits for its turn is taken out of its row, and its journal says so.
    """
    return _withdraw(folder) or _signal(folder, signal.SIGTERM)


def skip(folder: SessionFolder) -> bool:
    """Have the session skip its current run and go on with the next. False: it does not run here."""
    return _signal(folder, signal.SIGUSR1)


def _withdraw(folder: SessionFolder) -> bool:
    if not folder.is_waiting():
        return False
    try:
        with folder.claim():
            if folder.journal.exists():
                return False
            write_unstarted(folder)
            return True
    except (RuntimeError, OSError, msgspec.DecodeError):
        return False  # its turn has come


def _signal(folder: SessionFolder, number: signal.Signals) -> bool:
    pid = folder.pid()
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
