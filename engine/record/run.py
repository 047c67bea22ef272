"""What is known of one run of a plan and of its ranks, and what each event adds to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from ..plan.plan import RunSpec
from . import events
from .events import Failure, Window
from .series import Series
from .windows import RankWindows, RunWindows, WindowTotal

RunStatus = Literal["waiting", "running", "measured", "failed", "skipped", "stopped"]

EVALUATIONS = 10_000


class RankState:
    """What is known of one rank of a run."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.device = ""
        self.settings: dict[str, str | int | float | bool] = {}
        self.phase = ""
        self.parameters: int | None = None
        self.buffer_bytes: int | None = None
        self.pieces: list[events.Piece] = []
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
        self.breakdown: events.Breakdown | None = None
        self.communication: events.CommunicationMeasured | None = None
        self.bandwidth: dict[str, events.BandwidthMeasured] = {}
        """By collective."""
        self.compute: events.ComputeMeasured | None = None
        self.measured: events.RankMeasured | None = None
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
        self.detail_trouble = ""
        """Why the detail phase of a measured run ended early, where no rank could say so."""
        self.started_at: float | None = None
        self.finished_at: float | None = None
        self.phase = ""
        """Rank 0's."""
        self.entered: dict[str, float] = {}
        """When rank 0 first entered each phase."""
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
        """Windows that every rank has reported, all of one length."""
        return self._windows.complete

    @property
    def window_length(self) -> int:
        """How many measured windows each of these is: 1 unless there were thousands."""
        return self._windows.length

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

    def apply(self, event: events.RankEvent) -> None:
        """Take in what a rank of this run reported."""
        _ON_EVENT[type(event)](self, event)

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


def _rank_started(run: RunState, event: events.RankStarted) -> None:
    rank = run.rank(event.rank)
    rank.pid, rank.device, rank.settings = event.pid, event.device, event.settings


def _model_built(run: RunState, event: events.ModelBuilt) -> None:
    rank = run.rank(event.rank)
    rank.parameters, rank.steps_per_epoch = event.parameters, event.steps_per_epoch
    rank.buffer_bytes, rank.pieces = event.buffer_bytes, event.pieces
    rank.train_images, rank.test_images = event.train_images, event.test_images


def _phase_changed(run: RunState, event: events.PhaseChanged) -> None:
    run.rank(event.rank).phase = event.phase
    if event.rank == 0:
        run.phase, run.note = event.phase, event.note
        run.entered.setdefault(event.phase, event.at)
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


def _breakdown(run: RunState, event: events.Breakdown) -> None:
    run.rank(event.rank).breakdown = event


def _communication(run: RunState, event: events.CommunicationMeasured) -> None:
    run.rank(event.rank).communication = event


def _bandwidth(run: RunState, event: events.BandwidthMeasured) -> None:
    run.rank(event.rank).bandwidth[event.collective] = event


def _compute(run: RunState, event: events.ComputeMeasured) -> None:
    run.rank(event.rank).compute = event


def _rank_measured(run: RunState, event: events.RankMeasured) -> None:
    run.rank(event.rank).measured = event


def _rank_finished(run: RunState, event: events.RankFinished) -> None:
    rank = run.rank(event.rank)
    rank.finished, rank.rate = event, 0.0


def _rank_failed(run: RunState, event: events.RankFailed) -> None:
    run.rank(event.rank).failed = event


_ON_EVENT: dict[type, Callable[[RunState, Any], None]] = {
    events.RankStarted: _rank_started,
    events.ModelBuilt: _model_built,
    events.PhaseChanged: _phase_changed,
    events.Steps: _steps,
    events.MetricsLost: _metrics_lost,
    events.Window: _window,
    events.Evaluation: _evaluation,
    events.Breakdown: _breakdown,
    events.CommunicationMeasured: _communication,
    events.BandwidthMeasured: _bandwidth,
    events.ComputeMeasured: _compute,
    events.RankMeasured: _rank_measured,
    events.RankFinished: _rank_finished,
    events.RankFailed: _rank_failed,
}
