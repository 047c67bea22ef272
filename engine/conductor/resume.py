"""Resuming a session: a new one that takes over what was measured, and measures the rest."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..host.facts import Host
from ..plan.plan import Plan, RunSpec
from ..record.session import Session, read_session
from ..record.session_folder import SessionFolder
from ..record.shelf import Shelf
from ..record.takeover import lacking_runs, settled_runs, taken_over, write_events
from ..text.files import read_whole
from ..text.units import count
from .growth import goes_on_when_resumed
from .same_machine import inspect_again


class CannotResumeError(Exception):
    """A session cannot be resumed here; the message is one sentence."""


class NothingLackingError(CannotResumeError):
    """A session that lacks nothing."""


class Resumption(Struct, frozen=True):
    """Plan of resuming a session on this machine."""

    earlier: SessionFolder
    plan: Plan
    host: Host
    """This machine, inspected anew."""
    preset_text: str
    settled: frozenset[str]
    """Ids of the runs that are taken over."""
    lacking: tuple[RunSpec, ...]
    """Runs to measure."""

    @property
    def summary(self) -> str:
        """Number of runs taken over and of those to measure, in a line."""
        return (
            f"resuming {self.earlier.name}: {count(len(self.settled), 'run')} taken over, "
            f"{count(len(self.lacking), 'run')} to measure{', and on' if self.plan.tune is not None else ''}"
        )

    def create(self, shelf: Shelf, name: str | None) -> SessionFolder:
        """Create the new session's folder, with what it takes over. Raises OSError."""
        earlier = self.earlier.name
        events = taken_over(self.earlier.journal, earlier, self.settled) if self.settled else ()
        return shelf.create(
            name, self.plan, self.host, self.preset_text, earlier, lambda path: write_events(path, events)
        )


def plan_resumption(folder: SessionFolder, minutes: float | None = None) -> Resumption:
    """Find out what a session lacks, and whether this machine can still measure it.

    `minutes`: the time that a tune has from then on; by default as much as it had. Raises CannotResumeError.
    """
    if folder.goes_on():
        raise CannotResumeError(f"{folder.name} is {folder.state(None)}: it can be resumed once it has ended")
    recorded, plan, before = _read(folder)
    if minutes is not None and plan.tune is not None:
        plan = recorded.plan = replace(plan, tune=replace(plan.tune, minutes=minutes))
    goes_on = goes_on_when_resumed(recorded)
    plan = recorded.plan if goes_on else plan
    missing = set(lacking_runs(recorded))
    lacking = tuple(spec for spec in plan.to_run if spec.id in missing)
    if not lacking and not goes_on:
        raise NothingLackingError(f"all runs of {folder.name} were measured, or skipped by rule")
    here, differences = inspect_again(before, recorded.program)
    if differences:
        raise CannotResumeError(
            f"{folder.name} cannot be resumed: its runs would not be comparable with those measured here and "
            f"now ({'; '.join(differences)}); gpubench-tui run {folder.preset} measures all of them"
        )
    try:
        preset_text = read_whole(folder.preset).decode(errors="replace")
    except OSError:
        preset_text = ""
    return Resumption(folder, plan, here, preset_text, settled_runs(recorded), lacking)


def _read(folder: SessionFolder) -> tuple[Session, Plan, Host]:
    """Return what the session recorded, its plan and its host, also where the journal was lost."""
    try:
        recorded = read_session(folder.journal)
    except OSError:
        recorded = Session(folder.name)
    if recorded.started:
        return recorded, recorded.plan, recorded.host
    try:
        request = folder.request()
    except (OSError, msgspec.DecodeError) as error:
        raise CannotResumeError(
            f"{folder.name} cannot be resumed: its plan cannot be read: {error}"
        ) from None
    return Session.planned(folder.name, request.plan), request.plan, request.host
