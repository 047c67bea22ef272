"""The fold: a session's events, one by one, become the state that every screen and report shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, get_args

from ..host.facts import Cpu, Host, Software
from ..plan.plan import Plan
from . import events
from .events import Event, LogMessage
from .history import CpuHistory, GpuHistory
from .journal import Follower
from .run import RankState, RunState, RunStatus

__all__ = ["WITHOUT_CURVES", "RankState", "RunState", "RunStatus", "Session", "fold", "read_session"]

NO_PLAN = Plan(preset="", title="", question="", devices=(), runs=())
NO_HOST = Host(name="", cpu=Cpu(model="", cores=(), physical=0, memory_bytes=0), software=Software("", ""))

LOG_LINES = 1000
WITHOUT_CURVES = tuple(set(get_args(Event)) - {events.Steps, events.Sampled})
"""All events but those that fill most of a journal: curves are drawn from them, figures are not."""


class Session:
    """A session so far. Its size is bounded by the plan and the host, however long it lasts."""

    def __init__(self, name: str = "") -> None:
        """`name`: its folder's, which may have been renamed since it was recorded; else the journal's own."""
        self.name = name
        self.program = ""
        self.unix_time = 0.0
        self.host = NO_HOST
        self.plan = NO_PLAN
        self.runs: dict[str, RunState] = {}
        self.current: str | None = None
        self.elapsed = 0.0
        """Seconds from the start to the newest event."""
        self.gpus: dict[int, GpuHistory] = {}
        self.cpu = CpuHistory()
        self.log: deque[LogMessage] = deque(maxlen=LOG_LINES)
        self.outcome: Literal["finished", "stopped"] | None = None
        """None while it runs, and for ever when it was interrupted."""
        self.started = False
        self.unreadable = 0
        """Damaged lines of the journal; whoever reads it sets this."""

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        self.elapsed = max(self.elapsed, event.at)
        on_session = _ON_SESSION.get(type(event))
        if on_session is not None:
            on_session(self, event)
        elif run := self.runs.get(event.run):  # type: ignore[union-attr,arg-type]
            run.apply(event)  # type: ignore[arg-type]

    def _started(self, event: events.SessionStarted) -> None:
        self.started = True
        self.name = self.name or event.session
        self.program, self.unix_time = event.program, event.unix_time
        self.host, self.plan = event.host, event.plan
        self.runs = {spec.id: RunState(spec) for spec in event.plan.runs}

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
        self.outcome, self.current = event.outcome, None
        for run in self.runs.values():
            if run.state in ("waiting", "running"):
                run.state, run.reason = "stopped", run.reason or "the session ended before it"


def fold(events: Iterable[Event], name: str = "") -> Session:
    """The state after all these events, of a session of that name."""
    session = Session(name)
    for event in events:
        session.apply(event)
    return session


def read_session(journal: Path, kinds: Iterable[type[events.Base]] | None = None) -> Session:
    """The state a journal has come to, damaged lines counted; OSError when it cannot be opened.

    Its name is that of the folder that the journal lies in. `kinds`: the only events to take in.
    """
    journal.stat()
    follower = Follower(journal, kinds)
    session = fold(follower.events(), journal.parent.name)
    session.unreadable = follower.unreadable
    return session


_ON_SESSION: dict[type, Callable[[Session, Any], None]] = {
    events.SessionStarted: Session._started,
    events.RunStarted: Session._run_started,
    events.RunFinished: Session._run_finished,
    events.Sampled: Session._sampled,
    events.LogMessage: Session._said,
    events.SessionFinished: Session._finished,
}
