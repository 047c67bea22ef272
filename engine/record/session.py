"""The fold: events, applied one by one, yield the state that every screen and report shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args

from msgspec.structs import replace

from ..host.facts import Cpu, Host, Software
from ..plan.plan import Plan
from . import events
from .events import Event, LogMessage
from .history import CpuHistory, GpuHistory
from .journal import Follower
from .run import RankState, RunState, RunStatus

__all__ = ["WITHOUT_STEPS", "RankState", "RunState", "RunStatus", "Session", "fold", "read_session"]

NO_PLAN = Plan(preset="", title="", question="", devices=(), runs=())
NO_HOST = Host(name="", cpu=Cpu(model="", cores=(), physical=0, memory_bytes=0), software=Software("", ""))

LOG_LINES = 1000
WITHOUT_STEPS = tuple(set(get_args(Event)) - {events.Steps})
"""All event types except the bulkiest, which curves need but measured figures do not; of these, a session is
still read with those whose loss is not finite."""


class Session:
    """The state of a session. Its size is bounded by the plan and the host, not by its duration."""

    def __init__(self, name: str = "") -> None:
        """`name`: the folder's, which may have been renamed since recording; by default the recorded name."""
        self.name = name
        self.recorded_name = ""
        """Name under which it was recorded, whatever its folder is called now."""
        self.program = ""
        self.unix_time = 0.0
        self.host = NO_HOST
        self.plan = NO_PLAN
        self.resumes = ""
        """Name of the session that this one resumes; empty for none."""
        self.runs: dict[str, RunState] = {}
        self.current: str | None = None
        self.elapsed = 0.0
        """Time from the start to the newest event, in s."""
        self.gpus: dict[int, GpuHistory] = {}
        self.cpu = CpuHistory()
        self.log: deque[LogMessage] = deque(maxlen=LOG_LINES)
        self.outcome: events.SessionOutcome | None = None
        """Recorded end of the session; None while it runs, and for good if its process was killed."""
        self.reason = ""
        """Cause of an interruption, without a full stop; empty where it is not recorded."""
        self.started = False
        self.unreadable = 0
        """Number of damaged journal lines; set by the reader."""

    def apply(self, event: Event) -> None:
        """Apply the next event."""
        self.elapsed = max(self.elapsed, event.at)
        on_session = _ON_SESSION.get(type(event))
        if on_session is not None:
            on_session(self, event)
        elif run := self.runs.get(event.run):  # type: ignore[union-attr,arg-type]
            run.apply(event)  # type: ignore[arg-type]

    def _started(self, event: events.SessionStarted) -> None:
        if self.started:  # the journal was cut off while its session ran, and begins anew
            Session.__init__(self, self.name)
        self.started = True
        self.name, self.recorded_name = self.name or event.session, event.session
        self.program, self.unix_time = event.program, event.unix_time
        self.host, self.resumes = event.host, event.resumes
        self._plan(event.plan)

    def _plan(self, plan: Plan) -> None:
        self.plan = plan
        self.runs = {spec.id: RunState(spec) for spec in plan.runs}

    @classmethod
    def planned(cls, name: str, plan: Plan) -> Session:
        """Return a session that has recorded nothing of its plan."""
        session = cls(name)
        session._plan(plan)
        return session

    def _runs_added(self, event: events.RunsAdded) -> None:
        if not self.started:
            return
        new = {spec.id: RunState(spec) for spec in event.runs if spec.id not in self.runs}
        self.plan = replace(self.plan, runs=(*self.plan.runs, *(run.spec for run in new.values())))
        self.runs |= new

    def _run_taken_over(self, event: events.RunTakenOver) -> None:
        run = self.runs.get(event.run)
        if run is not None:
            run.taken_over = event.session

    def _run_started(self, event: events.RunStarted) -> None:
        run = self.runs.get(event.run)
        if run is not None:
            self.current = event.run
            run.state, run.started_at = "running", event.at

    def _run_finished(self, event: events.RunFinished) -> None:
        run = self.runs.get(event.run)
        if run is not None:
            run.state, run.failure, run.finished_at = event.outcome, event.failure, event.at
            run.detail_trouble = event.detail_trouble
            run.reason = event.reason or (event.failure.message if event.failure else run.reason)
        if self.current == event.run:
            self.current = None

    def _sampled(self, event: events.Sampled) -> None:
        for sample in event.gpus:
            history = self.gpus.get(sample.index)
            if history is None:
                history = self.gpus[sample.index] = GpuHistory(sample)
            history.add(event.at, sample)
        self.cpu.add(event.at, event.cpu)

    def _said(self, event: LogMessage) -> None:
        self.log.append(event)

    def _finished(self, event: events.SessionFinished) -> None:
        self.outcome, self.reason, self.current = event.outcome, event.reason, None
        for run in self.runs.values():
            if run.state in ("waiting", "running"):
                run.state, run.reason = "stopped", run.reason or "the session ended before it"


def fold(events: Iterable[Event], name: str = "") -> Session:
    """Return the state after all the events, of a session with that name."""
    session = Session(name)
    for event in events:
        session.apply(event)
    return session


def read_session(journal: Path, kinds: Iterable[type[events.Base]] | None = None) -> Session:
    """Return the state recorded in a journal; OSError if it cannot be opened.

    The session is named after the journal's folder. `kinds`: the only event types to read, besides steps with
    a loss that is not finite.
    """
    journal.stat()
    follower = Follower(journal, kinds, broken_steps=True)
    session = fold(follower.events(), journal.parent.name)
    session.unreadable = follower.unreadable
    return session


_ON_SESSION: dict[type, Callable[[Session, Any], None]] = {
    events.SessionStarted: Session._started,
    events.RunsAdded: Session._runs_added,
    events.RunTakenOver: Session._run_taken_over,
    events.RunStarted: Session._run_started,
    events.RunFinished: Session._run_finished,
    events.Sampled: Session._sampled,
    events.LogMessage: Session._said,
    events.SessionFinished: Session._finished,
}
