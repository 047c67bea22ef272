"""The session's hand on the journal: everything is written by way of it, by whichever thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from ..record.events import Event, Said
from ..record.journal import Journal


class Scribe:
    """Writes events and says lines, on the session's clock; after a failure to write, nothing more."""

    def __init__(self, journal: Journal, started: float, failed: Callable[[], None]) -> None:
        self.started = started
        """`time.monotonic()` when the session started."""
        self.error: OSError | None = None
        """Why the journal can no longer be written."""
        self._journal = journal
        self._failed = failed
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since the session started."""
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
        """Say a line for people."""
        self.write(Said(at=self.now(), level=level, text=text, run=run))
