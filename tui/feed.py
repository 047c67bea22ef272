"""Where a monitor's events come from: a journal that still grows, or a recorded one in its own time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from ..engine.record.events import Event
from ..engine.record.journal import Follower
from ..engine.record.shelf import SessionFolder


class Feed(Protocol):
    """A source of events, read without ever waiting."""

    def events(self) -> Iterator[Event]:
        """Those that are due since the last call."""

    @property
    def unreadable(self) -> int:
        """Damaged lines met so far."""

    def is_over(self) -> bool:
        """Whether no further event can come; asked before reading the last of them."""


class LiveFeed:
    """The journal of a session, running or not."""

    def __init__(self, folder: SessionFolder, process: subprocess.Popen[bytes] | None = None) -> None:
        self.folder = folder
        self._process = process
        self._follower = Follower(folder.journal)

    def events(self) -> Iterator[Event]:
        """Events completed since the last call."""
        return self._follower.events()

    @property
    def unreadable(self) -> int:
        """Damaged lines met so far."""
        return self._follower.unreadable

    def is_over(self) -> bool:
        """Whether the session's process is gone, or was never to come."""
        # A process that has just been started holds no lock yet.
        if self._process is not None and self._process.poll() is None:
            return False
        return not self.folder.goes_on()


class ReplayFeed:
    """A recorded journal, each event at its own time, `speed` times as fast."""

    def __init__(
        self, folder: SessionFolder, speed: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = speed
        self._follower = Follower(folder.journal)
        self._recorded = self._follower.events()
        self._next = next(self._recorded, None)
        self._clock = clock
        self._started: float | None = None

    def events(self) -> Iterator[Event]:
        """Events whose time has come; the first call starts the clock."""
        if self._started is None:
            self._started = self._clock()
        now = (self._clock() - self._started) * self.speed
        while self._next is not None and self._next.at <= now:
            event, self._next = self._next, next(self._recorded, None)
            yield event

    @property
    def unreadable(self) -> int:
        """Damaged lines met so far."""
        return self._follower.unreadable

    def is_over(self) -> bool:
        """Whether all was shown."""
        return self._next is None
