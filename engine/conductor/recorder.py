"""The session's access to the journal: every thread writes through it."""

from __future__ import annotations

import importlib.metadata
import os
import threading
import time
from collections.abc import Callable
from typing import Literal

from ..record.events import Event, LogMessage, RunFinished, SessionFinished, SessionStarted
from ..record.journal import Journal
from ..record.shelf import Request, SessionFolder


class Recorder:
    """Writes events and messages, on the session's clock; after a failure it writes nothing more."""

    def __init__(self, journal: Journal, started: float, failed: Callable[[], None]) -> None:
        self.started = started
        """`time.monotonic()` when the session started."""
        self.error: OSError | None = None
        """Why the journal can no longer be written."""
        self._journal = journal
        self._failed = failed
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the seconds since the session started."""
        return time.monotonic() - self.started

    def write(self, event: Event) -> None:
        """Append an event; never raises."""
        with self._lock:
            if self.error is not None:
                return
            try:
                self._journal.append(event)
                return
            except OSError as error:
                self.error = error
        self._failed()

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
        program=importlib.metadata.version("gpubench-tui"),
        unix_time=time.time(),
        pid=os.getpid(),
        host=request.host,
        plan=request.plan,
    )


def write_unstarted(folder: SessionFolder) -> None:
    """Write the whole journal of a session that was removed from the queue before it started.

    Raises OSError or msgspec.DecodeError when its plan cannot be read or the journal cannot be written.
    """
    request = folder.request()
    journal = Journal(folder.journal)
    try:
        journal.append(session_started(folder, request))
        for spec in request.plan.runs:
            outcome: Literal["stopped", "skipped"] = "stopped" if spec.skip is None else "skipped"
            reason = spec.skip or "the session was removed from the queue"
            journal.append(RunFinished(at=0.0, run=spec.id, outcome=outcome, reason=reason))
        journal.append(SessionFinished(at=0.0, outcome="stopped"))
    finally:
        journal.close()
