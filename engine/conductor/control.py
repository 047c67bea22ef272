"""Requests to a running session, from any process of its user on the same machine: stop, or skip a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

import msgspec

from ..record.events import SessionFinished
from ..record.session_folder import SessionFolder
from .recorder import write_unstarted


def stop_session(folder: SessionFolder) -> bool:
    """Ask the session to end and keep its results; return False when it does not run on this machine.

    A second request kills its ranks without delay. A session that still waits is removed from the queue,
    and its journal says so.
    """
    return _withdraw(folder) or _signal(folder, signal.SIGTERM)


def skip_run(folder: SessionFolder) -> bool:
    """Ask the session to skip its current run; return False when it does not run on this machine."""
    return _signal(folder, signal.SIGUSR1)


def _withdraw(folder: SessionFolder) -> bool:
    if not folder.is_waiting():
        return False
    try:
        with folder.claim():
            if folder.journal.exists():
                return False
            ended = SessionFinished(at=0.0, outcome="stopped")
            write_unstarted(folder, "the session was removed from the queue", ended)
            return True
    except (RuntimeError, OSError, msgspec.DecodeError):
        return False  # it has just started


def _signal(folder: SessionFolder, number: signal.Signals) -> bool:
    pid = folder.pid()
    if pid is None:
        return False
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):  # a system without such descriptors
        return _send(partial(os.kill, pid, number))
    try:
        # Before it was opened, the id might have passed from the session to another process.
        return folder.pid() == pid and _send(partial(signal.pidfd_send_signal, process, number))
    finally:
        os.close(process)


def _send(send: Callable[[], object]) -> bool:
    try:
        send()
    except (ProcessLookupError, PermissionError):
        return False
    return True
