"""Where a monitor's events come from: a journal that still grows, or a recorded one in its own time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from ...engine.record.events import Event
from ...engine.record.journal import Follower, last_moment
from ...engine.record.shelf import SessionFolder


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
    """A recorded journal, each event at its own time, `speed` times as fast; still until it is played."""

    def __init__(
        self,
        folder: SessionFolder,
        speed: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.duration = last_moment(folder.journal)
        """Seconds of the session."""
        self._follower = Follower(folder.journal)
        self._recorded = self._follower.events()
        self._next = next(self._recorded, None)
        self._clock = clock
        self._speed = speed
        self._from = 0.0
        self._since: float | None = None
        """When it was played from there; None while it stands still."""

    @property
    def position(self) -> float:
        """Which second of the session it is now."""
        return min(self.duration, self._now)

    @property
    def _now(self) -> float:
        return self._from + (0.0 if self._since is None else (self._clock() - self._since) * self._speed)

    @property
    def speed(self) -> float:
        """How many seconds of the session pass in one."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        plays = self._since is not None
        self.pause()
        self._speed = speed
        if plays:
            self.play()

    def play(self) -> None:
        """Let time pass."""
        if self._since is None:
            self._since = self._clock()

    def pause(self) -> None:
        """Stand still."""
        self._from, self._since = self._now, None

    def stand(self, position: float) -> None:
        """Stand still at that second: all up to it is due at once, and what was shown stays shown."""
        self._from, self._since = position, None

    def anew(self) -> ReplayFeed:
        """The same recording from its start, standing still."""
        return ReplayFeed(self.folder, self._speed, self._clock)

    def events(self) -> Iterator[Event]:
        """Events whose time has come."""
        now = self._now
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
