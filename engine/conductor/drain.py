"""Following one rank: what it says goes to the journal at once, down to its last message."""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.queues import Queue
from typing import Any

import psutil
from msgspec import Struct

from ..record.events import RankEvent
from .entry import Entered

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
"""Where processes cannot be waited for (no pidfd), how often to look whether a rank is still there."""


class Heard(Struct, frozen=True):
    """Events of a rank, in the journal already."""

    rank: int
    events: list[RankEvent]


class Appeared(Struct, frozen=True):
    """A rank's process exists."""

    rank: int
    pid: int


class Ended(Struct, frozen=True):
    """A rank's process is gone and all it said has been heard."""

    rank: int
    when: float
    """`time.monotonic()` when it was found gone."""


class Line(threading.Thread):
    """The conductor's end of one rank's queue, and the eye on its process.

    A rank has ended when its process is gone and its pipe is empty. The pipe's end of file would not do:
    whatever the rank forked holds it open. A message cut off by the rank's death blocks this thread alone,
    until the rank's forks are gone too.
    """

    def __init__(
        self,
        rank: int,
        queue: Queue[Any],
        record: Callable[[RankEvent], None],
        tell: Callable[[Heard | Appeared | Ended], None],
    ) -> None:
        super().__init__(name=f"line-{rank}", daemon=True)
        self.rank = rank
        self.pid: int | None = None
        self._queue = queue
        self._record = record
        self._tell = tell

    def process_is_gone(self) -> bool:
        """Whether the rank has been there and no longer is."""
        return self.pid is not None and not _exists(self.pid)

    def run(self) -> None:
        """Listen until the rank has ended; never raises."""
        reader: connection.Connection = self._queue._reader  # type: ignore[attr-defined]
        process: int | None = None
        with selectors.DefaultSelector() as eyes:
            eyes.register(reader, selectors.EVENT_READ)
            while (message := self._next(eyes, reader)) is not None:
                if isinstance(message, Entered):
                    self.pid = message.pid
                    process = _open_process(message.pid)
                    if process is not None:
                        eyes.register(process, selectors.EVENT_READ)
                    self._tell(Appeared(self.rank, message.pid))
                else:
                    for event in message:
                        self._record(event)
                    self._tell(Heard(self.rank, message))
        self._tell(Ended(self.rank, time.monotonic()))
        if process is not None:
            os.close(process)

    def _next(
        self, eyes: selectors.BaseSelector, reader: connection.Connection
    ) -> Entered | list[RankEvent] | None:
        """The rank's next message; None when it will say no more."""
        while True:
            unseen = self.pid is not None and len(eyes.get_map()) == 1
            gone = unseen and self.process_is_gone()
            ready = [key.fileobj for key, _ in eyes.select(0.0 if gone else POLL_SECONDS if unseen else None)]
            if reader in ready:
                try:
                    message: Entered | list[RankEvent] = self._queue.get()
                except (EOFError, OSError):
                    return None
                except Exception:  # no message of ours
                    logger.exception("a message of rank %d is unreadable", self.rank)
                else:
                    return message
            elif ready or gone:
                return None


def _open_process(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # no such call here, or gone already
        return None


def _exists(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
