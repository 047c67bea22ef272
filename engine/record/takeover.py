"""Takeover of runs by a session that resumes another: all that is recorded of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from msgspec.structs import replace

from ..text.encoding import encode_json
from .events import Event, RunFinished, RunStarted, RunTakenOver, Sampled
from .journal import Follower, last_moment, read_journal
from .session import RunState, Session

Pair = tuple[int, int]
"""Number of an attempt, and of the turn in which its two sides are measured."""


def settled_runs(session: Session) -> frozenset[str]:
    """Return the ids of the runs that need not be measured again: see `lacking_runs`."""
    lacking = set(lacking_runs(session))
    return frozenset(
        name for name, run in session.runs.items() if name not in lacking and run.spec.skip is None
    )


def lacking_runs(session: Session) -> list[str]:
    """Return the ids of the runs that a session lacks: neither settled nor skipped by rule.

    Settled is what was measured, and in a tune also what failed or was skipped while a change was tried: what
    came after follows from it. Two sides of one turn are compared with each other and settled together.
    """
    missing = [run for run in session.runs.values() if run.spec.skip is None and not _has_ended(session, run)]
    pairs = {pair for run in missing if (pair := _pair(run)) is not None}
    ids = {run.spec.id for run in missing}
    return [
        name
        for name, run in session.runs.items()
        if run.spec.skip is None and (name in ids or _pair(run) in pairs)
    ]


def _has_ended(session: Session, run: RunState) -> bool:
    if run.state == "measured":
        return True
    attempt = run.spec.attempt
    tried = session.plan.tune is not None and attempt is not None and attempt.purpose in ("remedy", "batch")
    return tried and run.state in ("failed", "skipped")


def _pair(run: RunState) -> Pair | None:
    attempt = run.spec.attempt
    if attempt is None or attempt.purpose not in ("remedy", "confirmation"):
        return None
    return attempt.number, run.spec.repeat


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
