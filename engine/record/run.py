"""The state of one run and of its ranks, and how each event changes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from ..plan.plan import RunSpec
from ..plan.workload.trainings import planned_unit
from ..text.units import common_unit
from . import events
from .events import Failure, Window
from .series import Series
from .windows import RankWindows, RunWindows, WindowTotal

RunStatus = Literal["waiting", "running", "measured", "failed", "skipped", "stopped"]

EVALUATIONS = 10_000


class RankState:
    """The state of one rank of a run."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.device = ""
        self.settings: dict[str, str | int | float | bool] = {}
        self.phase = ""
        self.parameters: int | None = None
        self.unit = ""
        """Unit of its throughput, in the plural; empty before its model is built."""
        self.buffer_bytes: int | None = None
        self.pieces: list[events.Piece] = []
        self.train_samples: int | None = None
        self.test_samples: int | None = None
        self.steps_per_epoch: int | None = None
        self.skipped_images: list[events.UnreadImages] = []
        self.steps = 0
        """Optimizer steps completed, including warm-up."""
        self.samples = 0
        self.heard_at = 0.0
        """Time of the last report of any kind, in s since the session started."""
        self.compiling = False
        """Whether it reports that it compiles its model."""
        self.last_at: float | None = None
        """Time of the last report of steps, in s since the session started."""
        self.rate = 0.0
        """Throughput over the steps of the newest message, in samples/s; 0 before the first and at the
        end."""
        self.step_seconds = Series()
        self.breakdown: events.Breakdown | None = None
        self.communication: events.CommunicationMeasured | None = None
        self.bandwidth: dict[str, events.BandwidthMeasured] = {}
        """Measured bandwidth by collective."""
        self.compute: events.ComputeMeasured | None = None
        self.measured: events.RankMeasured | None = None
        self.finished: events.RankFinished | None = None
        self.failed: events.RankFailed | None = None
        self.lost_steps = 0
        """Number of steps whose metrics were dropped."""
        self.broken_from: int | None = None
        """First step whose loss was not finite."""
        self.broken_steps = 0
        """Number of steps known to have such a loss."""
        self.sound_loss: float | None = None
        """Last finite loss reported before the first that was not; None if there was none."""
        self._windows = RankWindows()

    @property
    def windows(self) -> list[Window]:
        """Measured windows of this rank; neighbours are merged once there are thousands."""
        return self._windows.all

    @property
    def measured_seconds(self) -> float:
        """Total time of the measured windows so far."""
        return self._windows.seconds


class RunState:
    """The state of one run of the plan."""

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self.state: RunStatus = "skipped" if spec.skip else "waiting"
        self.reason = spec.skip or ""
        """Reason that the run was skipped, stopped or failed, one sentence."""
        self.taken_over = ""
        """Name of the earlier session that measured it; empty for this one."""
        self.failure: Failure | None = None
        self.detail_trouble = ""
        """Reason that the detail phase of a measured run ended early, where no rank could report it."""
        self.started_at: float | None = None
        self.finished_at: float | None = None
        self.phase = ""
        """Phase of rank 0."""
        self.entered: dict[str, float] = {}
        """Time at which rank 0 first entered each phase, in s since the session started."""
        self.note = ""
        self.epoch: int | None = None
        self.ranks: dict[int, RankState] = {}
        self.throughput = Series()
        """Live throughput of all ranks over time, in samples/s, from steps; measured figures use windows."""
        self.loss = Series()
        """Loss of rank 0 over steps."""
        self.warmup_steps: int | None = None
        """Steps of rank 0 before the measured ones; None until it measures."""
        self.learning_rate: float | None = None
        self.evaluations: dict[int, deque[events.Evaluation]] = {}
        """Evaluations by rank, oldest first."""
        self._windows = RunWindows(spec.world_size)

    @property
    def stop_reason(self) -> str:
        """Reason that measuring ended, as the first rank gives it; empty before."""
        measured = (self.ranks[number].measured for number in sorted(self.ranks))
        return next((event.stop_reason for event in measured if event is not None), "")

    @property
    def windows(self) -> list[WindowTotal]:
        """Windows over all ranks; those not yet reported by every rank come last."""
        return self._windows.all

    @property
    def complete_windows(self) -> list[WindowTotal]:
        """Windows that every rank has reported, all of equal length."""
        return self._windows.complete

    @property
    def window_length(self) -> int:
        """Number of measured windows merged into each of these; 1 unless there were thousands."""
        return self._windows.length

    @property
    def windows_ended(self) -> float | None:
        """Time at which the detail phase began, or without one the end of the windows; None before."""
        phases = ("detail", "communication", "finishing")
        return min((self.entered[phase] for phase in phases if phase in self.entered), default=None)

    @property
    def progress(self) -> float | None:
        """Completed share of the run, from 0 to 1; None if it never started."""
        if self.state == "measured":
            return 1.0
        if self.started_at is None:
            return None
        if len(self.ranks) < self.spec.world_size:
            return 0.0
        return min(1.0, *(self._progress_of(rank) for rank in self.ranks.values()))

    @property
    def unit(self) -> str:
        """Unit of its throughput, in the plural: `images`; `samples` where it is not known, or not one."""
        reported = [rank.unit for rank in self.ranks.values() if rank.unit]
        return common_unit(reported or map(planned_unit, self.spec.workloads))

    def apply(self, event: events.RankEvent) -> None:
        """Apply an event reported by a rank of this run."""
        self.rank(event.rank).heard_at = event.at
        _ON_EVENT[type(event)](self, event)

    def _progress_of(self, rank: RankState) -> float:
        measure = self.spec.measure
        if measure.epochs:
            return rank.steps / (measure.epochs * rank.steps_per_epoch) if rank.steps_per_epoch else 0.0
        return min(rank.measured_seconds / measure.seconds, len(rank.windows) / measure.windows)

    def rank(self, number: int) -> RankState:
        """Return the state of a rank, creating it on first use."""
        if number not in self.ranks:
            self.ranks[number] = RankState()
        return self.ranks[number]


def _rank_started(run: RunState, event: events.RankStarted) -> None:
    rank = run.rank(event.rank)
    rank.pid, rank.device, rank.settings = event.pid, event.device, event.settings


def _model_built(run: RunState, event: events.ModelBuilt) -> None:
    rank = run.rank(event.rank)
    rank.settings = event.settings or rank.settings
    rank.parameters, rank.steps_per_epoch = event.parameters, event.steps_per_epoch
    rank.unit = event.unit
    rank.buffer_bytes, rank.pieces = event.buffer_bytes, event.pieces
    rank.train_samples, rank.test_samples = event.train_samples, event.test_samples
    rank.skipped_images = event.skipped_images


def _phase_changed(run: RunState, event: events.PhaseChanged) -> None:
    rank = run.rank(event.rank)
    rank.phase, rank.compiling = event.phase, event.compiling
    if event.rank == 0:
        run.phase, run.note = event.phase, event.note
        if event.phase == "measuring" and run.warmup_steps is None:
            run.warmup_steps = run.rank(0).steps
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
    _losses(rank, event)
    if event.rank == 0:
        _first_rank_steps(run, event)
    if seconds > 0:
        rank.rate = samples / seconds
        _live_throughput(run, event.at)


def _losses(rank: RankState, event: events.Steps) -> None:
    broken = event.not_finite
    if broken is not None:
        rank.broken_steps += event.loss.count(None)
    if rank.broken_from is None and event.loss:
        rank.broken_from = broken
        before = event.loss if broken is None else event.loss[: broken - event.first]
        rank.sound_loss = before[-1] if before else rank.sound_loss


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
    rank = run.rank(event.rank)
    rank.lost_steps += event.steps
    if rank.broken_from is None:
        rank.broken_from = event.not_finite


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
