"""The queue of sessions: each runs in its own process, started when the one before it has ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from ..record.shelf import SessionFolder
from .start import start_process

LOOK_SECONDS = 0.5
"""Interval at which sessions that this process did not start are checked for their end."""

logger = logging.getLogger(__name__)


def conduct_queue(folders: Sequence[SessionFolder], after: Sequence[SessionFolder]) -> int:
    """Run the sessions that are still waiting, once those of `after` have ended.

    Return the first exit status that is not 0, or 0.
    """
    while any(other.goes_on() for other in after) and any(folder.is_waiting() for folder in folders):
        time.sleep(LOOK_SECONDS)
    return next((status for status in [_run(folder) for folder in folders] if status), 0)


def _run(folder: SessionFolder) -> int:
    if not folder.is_waiting():  # removed from the queue
        return 0
    try:
        return start_process(folder, [str(folder.path)]).wait()
    except OSError:
        logger.exception("%s cannot be started", folder.name)
        return 1
    finally:
        folder.turn.unlink(missing_ok=True)
