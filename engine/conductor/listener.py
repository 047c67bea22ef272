"""The listener to one rank: it writes every message of the rank to the journal, down to the last."""

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

from msgspec import Struct

from ..record.events import RankEvent
from .processes.parentage import is_zombie, lives_on
from .rank_entry import Entered

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
"""Interval at which a rank's process is checked where the system has no pidfd to wait for."""


class Heard(Struct, frozen=True):
    """Events of a rank that are already in the journal."""

    rank: int
    events: list[RankEvent]


class Appeared(Struct, frozen=True):
    """A rank's process exists."""

    rank: int
    pid: int
    entered: bool
    """Whether it has said so itself, and is ready for its work."""


class Ended(Struct, frozen=True):
    """A rank will send no more, and all its messages have been read."""

    rank: int
    when: float
    """`time.monotonic()` when its end was found."""
    alive: bool = False
    """Whether its process lives on: it has closed its pipe, or replaced itself by another program."""


class RankListener(threading.Thread):
    """Reader of one rank's queue and watcher of its process.

    A rank has ended when its process is gone and its pipe is empty. That there is no end of file proves
    nothing: any fork of the rank holds the pipe open. A message cut off by the rank's death blocks only this
    thread, and only until the rank's forks are gone too.
    """

    def __init__(
        self,
        rank: int,
        queue: Queue[Any],
        record: Callable[[RankEvent], None],
        tell: Callable[[Heard | Appeared | Ended], None],
    ) -> None:
        super().__init__(name=f"listener-{rank}", daemon=True)
        self.rank = rank
        self.pid: int | None = None
        self.recording = False
        """Whether it is writing to the journal, which may take long: then it hears nothing."""
        self._queue = queue
        self._record = record
        self._tell = tell

    def process_is_gone(self) -> bool:
        """Whether the rank has appeared and its process has ended."""
        return self.pid is not None and is_zombie(self.pid)

    def run(self) -> None:
        """Listen until the rank has ended; never raises."""
        reader: connection.Connection = self._queue._reader  # type: ignore[attr-defined]
        process: int | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            while (message := self._next(selector, reader)) is not None:
                if isinstance(message, Entered):
                    self.pid = message.pid
                    process = _open_process(message.pid)
                    if process is not None:
                        selector.register(process, selectors.EVENT_READ)
                    self._tell(Appeared(self.rank, message.pid, entered=True))
                else:
                    self.recording = True
                    for event in message:
                        self._record(event)
                    self.recording = False
                    self._tell(Heard(self.rank, message))
        when = time.monotonic()
        self._tell(Ended(self.rank, when, alive=self.pid is not None and lives_on(self.pid)))
        if process is not None:
            os.close(process)

    def _next(
        self, selector: selectors.BaseSelector, reader: connection.Connection
    ) -> Entered | list[RankEvent] | None:
        """Return the rank's next message, or None when there will be no more."""
        while True:
            unseen = self.pid is not None and len(selector.get_map()) == 1
            gone = unseen and self.process_is_gone()
            ready = [
                key.fileobj for key, _ in selector.select(0.0 if gone else POLL_SECONDS if unseen else None)
            ]
            if reader in ready:
                try:
                    message: Entered | list[RankEvent] = self._queue.get()
                except (EOFError, OSError):
                    return None
                except Exception:  # not written by a rank of ours
                    logger.exception("a message of rank %d is unreadable", self.rank)
                else:
                    return message
            elif ready or gone:
                return None


def _open_process(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # no pidfd here, or the process has ended
        return None
