"""The session's access to the journal: every thread writes through it."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal

from ..host.shortage import shortage
from ..record.events import Event, LogMessage, RunFinished, SessionFinished, SessionStarted
from ..record.journal import Journal
from ..record.session_folder import Request, SessionFolder
from ..record.takeover import read_events

FULL = (errno.ENOSPC, errno.EDQUOT)
LAST_WORDS = (RunFinished, LogMessage, SessionFinished)
"""Events that still count once the journal cannot be written as it should be."""


class Recorder:
    """Writes events and messages, on the session's clock; after a failure only the session's last words."""

    def __init__(
        self,
        journal: Journal,
        started: float,
        failed: Callable[[], None],
        make_room: Callable[[], bool] = lambda: False,
        give_reserve: Callable[[], None] = lambda: None,
    ) -> None:
        """`make_room` frees space on a full disk, if it can, and `give_reserve` what was kept for the end."""
        self.started = started
        """`time.monotonic()` when the session started."""
        self.error: OSError | None = None
        """Why the journal can no longer be written."""
        self._journal = journal
        self._failed = failed
        self._make_room = make_room
        self._give_reserve = give_reserve
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the seconds since the session started."""
        return time.monotonic() - self.started

    def write(self, event: Event) -> None:
        """Append an event; never raises."""
        with self._lock:
            if self.error is not None:
                if isinstance(event, LAST_WORDS):
                    self._attempt(event)
                return
            error = self._attempt(event)
            if error is not None and error.errno in FULL and self._make_room():
                error = self._attempt(event)
            if error is None:
                for note in self._journal.take_notes():
                    self._attempt(LogMessage(at=self.now(), level="warning", text=note))
                return
            self.error = error
            self._give_reserve()
            if isinstance(event, LAST_WORDS):
                self._attempt(event)
        self._failed()

    def _attempt(self, event: Event) -> OSError | None:
        try:
            self._journal.append(event)
        except OSError as error:
            return error
        return None

    @property
    def trouble(self) -> str:
        """Why the journal can no longer be written, one sentence without a full stop; empty if it can."""
        return "" if self.error is None else f"its journal cannot be written: {shortage(self.error)}"

    def say(
        self, text: str, level: Literal["info", "warning", "error"] = "warning", run: str | None = None
    ) -> None:
        """Write a message for the user."""
        self.write(LogMessage(at=self.now(), level=level, text=text, run=run))


def session_started(folder: SessionFolder, request: Request) -> SessionStarted:
    """Return the first event of a session's journal."""
    return SessionStarted(
        at=0.0,
        session=folder.name,
        program=program_version(),
        unix_time=time.time(),
        pid=os.getpid(),
        host=request.host,
        plan=request.plan,
        resumes=request.resumes,
    )


def program_version() -> str:
    """Return the version of gpubench-tui."""
    return importlib.metadata.version("gpubench-tui")


def take_over(folder: SessionFolder, write: Callable[[Event], None]) -> Iterator[Event]:
    """Write what the session takes over from the one that it resumes, and yield it. Raises OSError."""
    for event in read_events(folder.earlier):
        write(event)
        yield event
    folder.earlier.unlink(missing_ok=True)


def write_unstarted(folder: SessionFolder, why: str, ended: SessionFinished) -> None:
    """Write the whole journal of a session that ends before it has begun, and `why` no run began.

    Raises OSError or msgspec.DecodeError when its plan cannot be read or the journal cannot be written.
    """
    request = folder.request()
    folder.give_reserve()
    journal = Journal(folder.journal)
    try:
        journal.append(session_started(folder, request))
        known = {event.run for event in take_over(folder, journal.append) if isinstance(event, RunFinished)}
        for spec in request.plan.runs:
            outcome: Literal["stopped", "skipped"] = "stopped" if spec.skip is None else "skipped"
            if spec.id not in known:
                journal.append(RunFinished(at=0.0, run=spec.id, outcome=outcome, reason=spec.skip or why))
        journal.append(ended)
    finally:
        journal.close()
