"""The queue of sessions: each runs in its own process, started when the one before it has ended."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Sequence

from ..record.register import Register
from ..record.session_folder import SessionFolder
from .devices_in_use import sessions_ahead
from .start import start_process

LOOK_SECONDS = 0.5
"""Interval at which sessions that this process did not start are checked for their end."""

logger = logging.getLogger(__name__)


def conduct_queue(
    folders: Sequence[SessionFolder], after: Sequence[SessionFolder], *, anyway: bool = False
) -> int:
    """Run the sessions that are still waiting, once those of `after` have ended.

    When its turn comes, each waits until no other session uses its devices, unless it is to be run `anyway`.
    Return the first exit status that is not 0, or 0.
    """
    while any(other.goes_on() for other in after) and any(folder.is_waiting() for folder in folders):
        time.sleep(LOOK_SECONDS)
    return next((status for status in [_run(folder, anyway) for folder in folders] if status), 0)


def _run(folder: SessionFolder, anyway: bool) -> int:
    try:
        while folder.is_waiting():  # else it was removed from the queue
            if (process := _start(folder, anyway)) is not None:
                return process.wait()
            time.sleep(LOOK_SECONDS)
        return 0
    except OSError:
        logger.exception("%s cannot be started", folder.name)
        return 1
    finally:
        folder.turn.unlink(missing_ok=True)


def _start(folder: SessionFolder, anyway: bool) -> subprocess.Popen[bytes] | None:
    """Start a session if its devices are free, or None; OSError where it cannot be started."""
    with Register().decide():
        if not anyway and sessions_ahead(folder):
            return None
        return start_process(folder, [str(folder.path)])
