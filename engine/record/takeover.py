"""Takeover of measured runs by a session that resumes another: all that is recorded of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from msgspec.structs import replace

from ..text.encoding import encode_json
from .events import Event, RunFinished, RunStarted, RunTakenOver, Sampled
from .journal import Follower, last_moment, read_journal
from .session import Session


def measured_runs(session: Session) -> frozenset[str]:
    """Return the ids of the runs that need not be measured again."""
    return frozenset(name for name, run in session.runs.items() if run.state == "measured")


def lacking_runs(session: Session) -> list[str]:
    """Return the ids of the runs that a session lacks: neither measured nor skipped by rule."""
    return [name for name, run in session.runs.items() if run.state != "measured" and run.spec.skip is None]


def taken_over(journal: Path, name: str, runs: Set[str]) -> Iterator[Event]:
    """Yield the events of these runs of the session of that name, dated before the start of another one.

    Raises OSError where the journal cannot be read.
    """
    end = last_moment(journal)
    current: str | None = None
    marked: set[str] = set()
    for event in read_journal(journal):
        run = getattr(event, "run", None)
        if isinstance(event, RunTakenOver):
            marked.add(event.run)
        elif isinstance(event, RunStarted):
            current = event.run
            if run in runs and run not in marked:
                yield RunTakenOver(at=event.at - end, run=event.run, session=name)
        if run in runs or (isinstance(event, Sampled) and current in runs):
            yield replace(event, at=event.at - end)
        if isinstance(event, RunFinished):
            current = None


def write_events(path: Path, events: Iterable[Event]) -> None:
    """Write events to a new file that only the user can read. Raises OSError."""
    path.touch(mode=0o600)
    with path.open("wb") as file:
        for event in events:
            file.write(encode_json(event) + b"\n")


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of such a file; none where there is no file. Raises OSError."""
    return Follower(path).events()
