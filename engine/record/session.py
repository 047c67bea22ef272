"""The fold: a session's events, one by one, become the state that every screen and report shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from ..host.facts import Cpu, CpuSample, GpuSample, Host, Software
from ..plan.plan import Plan, RunSpec
from . import events
from .events import Event, Failure, Said, Window
from .journal import Follower
from .series import Series
from .windows import RankWindows, RunWindows, WindowTotal

RunStatus = Literal["waiting", "running", "measured", "failed", "skipped", "stopped"]

NO_PLAN = Plan(preset="", title="", question="", devices=(), runs=())
NO_HOST = Host(name="", cpu=Cpu(model="", cores=(), physical=0, memory_bytes=0), software=Software("", ""))

LOG_LINES = 1000
EVALUATIONS = 10_000


class RankState:
    """What is known of one rank of a run."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.device = ""
        self.settings: dict[str, str | int | float | bool] = {}
        self.phase = ""
        self.parameters: int | None = None
        self.train_images: int | None = None
        self.test_images: int | None = None
        self.steps_per_epoch: int | None = None
        self.steps = 0
        """Optimizer steps done, warm-up included."""
        self.samples = 0
        self.last_at: float | None = None
        """When it last reported steps."""
        self.rate = 0.0
        """Samples a second over the newest message's steps; 0 before the first and after the last."""
        self.step_seconds = Series()
        self.finished: events.RankFinished | None = None
        self.failed: events.RankFailed | None = None
        self.lost_steps = 0
        """Steps whose metrics were dropped."""
        self._windows = RankWindows()

    @property
    def windows(self) -> list[Window]:
        """This rank's measured windows; neighbours are added up when there are thousands."""
        return self._windows.all

    @property
    def measured_seconds(self) -> float:
        """Time in measured windows so far."""
        return self._windows.seconds


class RunState:
    """What is known of one run of the plan."""

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self.state: RunStatus = "skipped" if spec.skip else "waiting"
        self.reason = spec.skip or ""
        """Why it was skipped or stopped, or failed in a sentence."""
        self.failure: Failure | None = None
        self.started_at: float | None = None
        self.finished_at: float | None = None
        self.phase = ""
        """Rank 0's."""
        self.note = ""
        self.epoch: int | None = None
        self.ranks: dict[int, RankState] = {}
        self.throughput = Series()
        """Live: x = at, y = samples/s of all ranks, from steps. Measured figures come from windows."""
        self.loss = Series()
        """x = step, y = loss of rank 0."""
        self.learning_rate: float | None = None
        self.evaluations: dict[int, deque[events.Evaluation]] = {}
        """By rank, oldest first."""
        self._windows = RunWindows(spec.world_size)

    @property
    def windows(self) -> list[WindowTotal]:
        """Windows over all ranks, those that some rank has yet to report last."""
        return self._windows.all

    @property
    def complete_windows(self) -> list[WindowTotal]:
        """Windows that every rank has reported."""
        return self._windows.complete

    @property
    def progress(self) -> float | None:
        """Share of the run that is done, 0 to 1; None when it never began."""
        if self.state == "measured":
            return 1.0
        if self.started_at is None:
            return None
        if len(self.ranks) < self.spec.world_size:
            return 0.0
        return min(1.0, *(self._progress_of(rank) for rank in self.ranks.values()))

    def _progress_of(self, rank: RankState) -> float:
        measure = self.spec.measure
        if measure.epochs:
            return rank.steps / (measure.epochs * rank.steps_per_epoch) if rank.steps_per_epoch else 0.0
        return min(rank.measured_seconds / measure.seconds, len(rank.windows) / measure.windows)

    def rank(self, number: int) -> RankState:
        """The state of a rank, new when nothing was heard of it before."""
        if number not in self.ranks:
            self.ranks[number] = RankState()
        return self.ranks[number]


class GpuHistory:
    """One GPU's samples: x = at, in the units of GpuSample; what was not available is left out."""

    def __init__(self, sample: GpuSample) -> None:
        self.last = sample
        self.utilization = Series()
        self.memory = Series()
        self.power = Series()
        self.temperature = Series()
        self.clock = Series()

    def add(self, at: float, sample: GpuSample) -> None:
        """Take in a sample."""
        self.last = sample
        for series, value in (
            (self.utilization, sample.utilization),
            (self.memory, sample.memory_used_bytes),
            (self.power, sample.power_watts),
            (self.temperature, sample.temperature),
            (self.clock, sample.sm_clock_mhz),
        ):
            if value is not None:
                series.add(at, value)


class CpuHistory:
    """The processor's samples: x = at."""

    def __init__(self) -> None:
        self.last: CpuSample | None = None
        self.busy = Series()
        """Mean over all logical CPUs, percent."""
        self.memory = Series()
        """Bytes in use on the machine."""
        self.session = Series()
        """CPU time of the session's processes; 100 is one core."""

    def add(self, at: float, sample: CpuSample) -> None:
        """Take in a sample."""
        self.last = sample
        if sample.per_core:
            self.busy.add(at, sum(sample.per_core) / len(sample.per_core))
        self.memory.add(at, sample.memory_used_bytes)
        self.session.add(at, sample.session_percent)


class Session:
    """A session so far. Its size is bounded by the plan and the host, however long it lasts."""

    def __init__(self) -> None:
        self.name = ""
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
        self.log: deque[Said] = deque(maxlen=LOG_LINES)
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
            return
        run = self.runs.get(event.run)  # type: ignore[union-attr,arg-type]
        if run is not None:
            _ON_RUN[type(event)](run, event)

    def _started(self, event: events.SessionStarted) -> None:
        self.started = True
        self.name, self.program, self.unix_time = event.session, event.program, event.unix_time
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

    def _said(self, event: Said) -> None:
        self.log.append(event)

    def _finished(self, event: events.SessionFinished) -> None:
        self.outcome, self.current = event.outcome, None
        for run in self.runs.values():
            if run.state in ("waiting", "running"):
                run.state, run.reason = "stopped", run.reason or "the session ended before it"


def fold(events: Iterable[Event]) -> Session:
    """The state after all these events."""
    session = Session()
    for event in events:
        session.apply(event)
    return session


def read_session(journal: Path) -> Session:
    """The state a journal has come to, damaged lines counted; OSError when it cannot be opened."""
    journal.stat()
    follower = Follower(journal)
    session = fold(follower.events())
    session.unreadable = follower.unreadable
    return session


def _rank_started(run: RunState, event: events.RankStarted) -> None:
    rank = run.rank(event.rank)
    rank.pid, rank.device, rank.settings = event.pid, event.device, event.settings


def _model_built(run: RunState, event: events.ModelBuilt) -> None:
    rank = run.rank(event.rank)
    rank.parameters, rank.steps_per_epoch = event.parameters, event.steps_per_epoch
    rank.train_images, rank.test_images = event.train_images, event.test_images


def _phase_changed(run: RunState, event: events.PhaseChanged) -> None:
    run.rank(event.rank).phase = event.phase
    if event.rank == 0:
        run.phase, run.note = event.phase, event.note
        run.epoch = event.epoch if event.epoch is not None else run.epoch


def _steps(run: RunState, event: events.Steps) -> None:
    steps = len(event.seconds)
    if not steps:
        return
    rank = run.rank(event.rank)
    samples, seconds = sum(event.samples), sum(event.seconds)
    rank.steps = event.first + steps
    rank.samples += samples
    rank.last_at = event.at
    rank.step_seconds.add_many(range(event.first, rank.steps), event.seconds)
    if event.rank == 0:
        _first_rank_steps(run, event)
    if seconds > 0:
        rank.rate = samples / seconds
        _live_throughput(run, event.at)


def _first_rank_steps(run: RunState, event: events.Steps) -> None:
    if event.learning_rate:
        run.learning_rate = event.learning_rate[-1]
    if None not in event.loss:
        run.loss.add_many(range(event.first, event.first + len(event.loss)), event.loss)  # type: ignore[arg-type]
        return
    for step, loss in enumerate(event.loss, event.first):
        if loss is not None:
            run.loss.add(step, loss)


def _live_throughput(run: RunState, at: float) -> None:
    # Until every rank has been heard, the sum would be that of a smaller run.
    if len(run.ranks) < run.spec.world_size:
        return
    total = 0.0
    for rank in run.ranks.values():
        if not rank.rate and rank.finished is None:
            return
        total += rank.rate
    run.throughput.add(at, total)


def _metrics_lost(run: RunState, event: events.MetricsLost) -> None:
    run.rank(event.rank).lost_steps += event.steps


def _window(run: RunState, event: Window) -> None:
    run.rank(event.rank)._windows.add(event)
    run._windows.add(event)


def _evaluation(run: RunState, event: events.Evaluation) -> None:
    run.evaluations.setdefault(event.rank, deque(maxlen=EVALUATIONS)).append(event)


def _rank_finished(run: RunState, event: events.RankFinished) -> None:
    rank = run.rank(event.rank)
    rank.finished, rank.rate = event, 0.0


def _rank_failed(run: RunState, event: events.RankFailed) -> None:
    run.rank(event.rank).failed = event


_ON_SESSION: dict[type, Callable[[Session, Any], None]] = {
    events.SessionStarted: Session._started,
    events.RunStarted: Session._run_started,
    events.RunFinished: Session._run_finished,
    events.Sampled: Session._sampled,
    events.Said: Session._said,
    events.SessionFinished: Session._finished,
}

_ON_RUN: dict[type, Callable[[RunState, Any], None]] = {
    events.RankStarted: _rank_started,
    events.ModelBuilt: _model_built,
    events.PhaseChanged: _phase_changed,
    events.Steps: _steps,
    events.MetricsLost: _metrics_lost,
    events.Window: _window,
    events.Evaluation: _evaluation,
    events.RankFinished: _rank_finished,
    events.RankFailed: _rank_failed,
}
