"""Assignment of a run to its ranks, from the session process. Imports no torch."""

from __future__ import annotations

from msgspec import Struct

from .plan import RunSpec


class Assignment(Struct, frozen=True, kw_only=True):
    """One run, as every rank of it receives it."""

    run: RunSpec
    started: float
    """`time.monotonic()` when the session started: an event's `at` is the monotonic clock less this."""
    logs: str
    """Folder that takes one log file from each rank."""
    rendezvous: str
    """Fresh private folder in which the ranks find each other."""
    cache: str
    """Folder that keeps downloaded data sets."""

    def log_name(self, rank: int) -> str:
        """Return the name of the file in `logs` that takes the output of a rank."""
        return f"{self.run.id}-rank{rank}.log"
