"""Sessions followed to their end in a thread, whichever screen is shown: their progress, and their result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from textual.message import Message

from ...engine.analysis.time_left import session_seconds_left
from ...engine.record.session import WITHOUT_STEPS, Session
from ...engine.text.units import count
from .feed import LiveFeed

if TYPE_CHECKING:
    import subprocess

    from ...engine.record.session_folder import SessionFolder

FOLLOW_SECONDS = 1.0
"""Interval between readings of the journals."""


class SessionProgress(Struct, frozen=True):
    """Progress of a session that has not ended."""

    folder: SessionFolder
    state: str
    """`queued`, `starting` or `running`."""
    ended: int
    """Number of runs that have ended."""
    runs: int
    """Number of runs that are not skipped."""
    percent: int | None
    """Elapsed share of the session's time by estimate; None if unknown so far."""
    grows: bool = False
    """Whether more runs may follow from those so far."""

    def __str__(self) -> str:
        share = "" if self.percent is None else f", {self.percent}% (estimate)"
        ended = (
            f"{count(self.ended, 'run')} so far"
            if self.grows
            else f"{self.ended} of {count(self.runs, 'run')}"
        )
        return f"{self.folder.name} is {self.state}" + (f", {ended}{share}" if self.runs else "")


class SessionsProgressed(Message):
    """The progress of the sessions that have not ended has changed."""

    def __init__(self, progress: Mapping[Path, SessionProgress]) -> None:
        super().__init__()
        self.progress = progress


class SessionEnded(Message):
    """A session has ended; `outcome` is its state in one word, `headline` its result, if there is one."""

    def __init__(self, folder: SessionFolder, outcome: str, headline: str) -> None:
        super().__init__()
        self.folder, self.outcome, self.headline = folder, outcome, headline


class SessionWatch:
    """The sessions that are followed. `follow` and `close` may be called in any thread."""

    def __init__(self) -> None:
        self._followed: dict[Path, _Followed] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def follow(self, folder: SessionFolder, process: subprocess.Popen[bytes] | None = None) -> None:
        """Follow a session, and after it those queued behind it; `process` runs it if it is a child."""
        with self._lock:
            self._followed.setdefault(folder.path, _Followed(folder, process))

    def close(self) -> None:
        """Follow no more."""
        self._closed.set()

    def run(self, post: Callable[[Message], object]) -> None:
        """Post what changes until closed."""
        known: Mapping[Path, SessionProgress] = {}
        while not self._closed.wait(FOLLOW_SECONDS):
            with self._lock:
                followed = dict(self._followed)
            progress = {}
            for path, session in followed.items():
                if session.read():
                    progress[path] = session.progress()
                    continue
                with self._lock:
                    del self._followed[path]
                post(session.ended())
                if following := session.folder.next_in_queue():
                    self.follow(following)
            if progress != known:
                known = progress
                post(SessionsProgressed(progress))


class _Followed:
    """A session being followed."""

    def __init__(self, folder: SessionFolder, process: subprocess.Popen[bytes] | None) -> None:
        self.folder = folder
        self._feed = LiveFeed(folder, process, WITHOUT_STEPS)
        self._session = Session(folder.name)
        self._percent = 0

    def read(self) -> bool:
        """Read what is new; return whether the session goes on."""
        # Asked before reading, so that the last events before the end are read too.
        over = self._feed.is_over()
        try:
            for event in self._feed.events():
                self._session.apply(event)
        except OSError:  # the monitor says so; the next attempt may succeed
            return not over
        return not over and self._session.outcome is None

    def progress(self) -> SessionProgress:
        session = self._session
        runs = [run for run in session.runs.values() if run.state != "skipped"]
        ended = sum(run.state not in ("waiting", "running") for run in runs)
        left = session_seconds_left(session) if session.started else None
        total = session.elapsed + (left or 0.0)
        percent = None if left is None or not total else min(99, int(100 * session.elapsed / total))
        if percent is not None:
            # An estimate may grow; what has been shown as done stays done.
            percent = self._percent = max(percent, self._percent)
        state = "running" if session.started else "queued" if self.folder.is_waiting() else "starting"
        grows = session.plan.tune is not None
        return SessionProgress(self.folder, state, ended, len(runs), percent, grows)

    def ended(self) -> SessionEnded:
        from ...engine.analysis.analysis import analyse  # late: the launch screen is drawn without it

        session = self._session
        return SessionEnded(self.folder, session.outcome or "interrupted", analyse(session).headline)


def closest_to_its_end(progress: Sequence[SessionProgress]) -> SessionProgress | None:
    """Return the progress to show where there is room for one session: of one that runs, if any does."""
    return max(progress, key=lambda one: (one.state == "running", one.percent or 0), default=None)
