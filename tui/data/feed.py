"""Sources of the monitor's events: the growing journal of a session, or a recorded one replayed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from ...engine.record.events import Base, Event
from ...engine.record.journal import Follower, last_moment
from ...engine.record.session_folder import SessionFolder


class Feed(Protocol):
    """A source of events that never blocks."""

    def events(self) -> Iterator[Event]:
        """Return the events due since the last call."""

    @property
    def unreadable(self) -> int:
        """Return the number of damaged journal lines so far."""

    def is_over(self) -> bool:
        """Return whether no further events can follow; ask before reading the last ones."""


class LiveFeed:
    """Feed from the journal of a session, running or not."""

    def __init__(
        self,
        folder: SessionFolder,
        process: subprocess.Popen[bytes] | None = None,
        kinds: Iterable[type[Base]] | None = None,
    ) -> None:
        """`process`: the session's, if it is a child; `kinds`: the only event types to read, None for all."""
        self.folder = folder
        self.process = process
        self._follower = Follower(folder.journal, kinds)

    def events(self) -> Iterator[Event]:
        """Return the events written since the last call."""
        return self._follower.events()

    @property
    def unreadable(self) -> int:
        """Return the number of damaged journal lines so far."""
        return self._follower.unreadable

    def is_over(self) -> bool:
        """Return whether the session is neither running nor queued."""
        # A process that has just been started does not hold the lock yet.
        if self.process is not None and self.process.poll() is None:
            return False
        return not self.folder.goes_on()


class ReplayFeed:
    """Feed from a recorded journal, each event at its own time, `speed` times as fast; paused at first."""

    def __init__(
        self,
        folder: SessionFolder,
        speed: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.duration = last_moment(folder.journal)
        """Duration of the session in s."""
        self._follower = Follower(folder.journal)
        self._recorded = self._follower.events()
        self._error: OSError | None = None
        self._next = self._following()
        self._clock = clock
        self._speed = speed
        self._from = 0.0
        self._since: float | None = None
        """Clock reading at which playing started; None while paused."""

    def _following(self) -> Event | None:
        """Return the next recorded event; None at the end, and where the journal cannot be read."""
        try:
            return next(self._recorded, None)
        except OSError as error:
            self._error = error
            return None

    @property
    def position(self) -> float:
        """Return the current position in s since the session started."""
        return min(self.duration, self._now)

    @property
    def _now(self) -> float:
        return self._from + (0.0 if self._since is None else (self._clock() - self._since) * self._speed)

    @property
    def speed(self) -> float:
        """Return the seconds of the session that pass per second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        is_playing = self._since is not None
        self.pause()
        self._speed = speed
        if is_playing:
            self.play()

    def play(self) -> None:
        """Start or continue playing."""
        if self._since is None:
            self._since = self._clock()

    def pause(self) -> None:
        """Stop at the current position."""
        self._from, self._since = self._now, None

    def pause_at(self, position: float) -> None:
        """Pause at a position in s: all events up to it are due at once."""
        self._from, self._since = position, None

    def rewound(self) -> ReplayFeed:
        """Return a new feed of the same recording, paused at its start."""
        return ReplayFeed(self.folder, self._speed, self._clock)

    def events(self) -> Iterator[Event]:
        """Return the events up to the current position that have not been returned yet.

        Raises OSError at the point from which the journal cannot be read.
        """
        now = self._now
        while self._next is not None and self._next.at <= now:
            event, self._next = self._next, self._following()
            yield event
        if self._next is None and self._error is not None:
            raise self._error

    @property
    def unreadable(self) -> int:
        """Return the number of damaged journal lines so far."""
        return self._follower.unreadable

    def is_over(self) -> bool:
        """Return whether all events have been returned."""
        return self._next is None
