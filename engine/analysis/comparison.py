"""A run against its baseline: speedup, efficiency and scaling, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from ..plan.plan import RunSpec
from ..record.session import RunState, Session
from . import statistics
from .comparable import differences
from .summary import Interval, run_summary, throughputs
from .units import ratio

Scaling = Literal["weak", "strong"]

SUPER_LINEAR = 1.05
"""A speedup of more than so many times the devices is more likely a fault than a success."""


class Comparison(Struct, frozen=True, kw_only=True):
    """A run against its baseline."""

    speedup: float | None = None
    interval: Interval | None = None
    """95% interval of the speedup, by bootstrap over the windows of both runs."""
    efficiency: float | None = None
    """Speedup over devices, in units of the baseline's; None where the batch is what differs."""
    scaling: Scaling | None = None
    notes: tuple[str, ...] = ()


def compare(session: Session, run: RunState) -> Comparison:
    """Hold a run that is done against its baseline; everything is None where the plan names no baseline."""
    baseline = session.runs.get(run.spec.baseline or "")
    if baseline is None or not _is_done(run):
        return Comparison()
    scaling = _scaling(run.spec, baseline.spec)
    ours, theirs = run_summary(run).throughput, run_summary(baseline).throughput
    if ours is None:
        return Comparison(scaling=scaling)
    if theirs is None or not _is_done(baseline):
        note = f"no speedup: its baseline {baseline.spec.label} has no figures ({_why(baseline)})"
        return Comparison(scaling=scaling, notes=(note,))
    if found := differences(run, baseline):
        note = f"no speedup: not comparable with {baseline.spec.label}, which differs in {'; '.join(found)}"
        return Comparison(scaling=scaling, notes=(note,))
    speedup = ours / theirs
    devices = run.spec.device_count / baseline.spec.device_count
    by_devices = scaling is not None or run.spec.global_batch == baseline.spec.global_batch
    return Comparison(
        speedup=speedup,
        interval=_interval(run, baseline),
        efficiency=speedup / devices if by_devices else None,
        scaling=scaling,
        notes=tuple(_notes(run, baseline, speedup, devices if by_devices else None)),
    )


def _is_done(run: RunState) -> bool:
    """Measured, or stopped with more than one window to go by."""
    return run.state == "measured" or (run.state == "stopped" and len(run.complete_windows) > 1)


def _why(run: RunState) -> str:
    return f"{run.state}: {run.reason}" if run.reason else run.state


def _scaling(ours: RunSpec, theirs: RunSpec) -> Scaling | None:
    if ours.device_count == theirs.device_count:
        return None
    if ours.batch_per_device() == theirs.batch_per_device():
        return "weak"
    return "strong" if ours.global_batch == theirs.global_batch else None


def _interval(run: RunState, baseline: RunState) -> Interval | None:
    ours, theirs = throughputs(run.complete_windows), throughputs(baseline.complete_windows)
    if run is baseline or min(len(ours), len(theirs)) < statistics.FEWEST:
        return None
    return statistics.ratio_interval(ours, theirs)


def _notes(run: RunState, baseline: RunState, speedup: float, devices: float | None) -> Iterator[str]:
    ours, theirs = run.spec, baseline.spec
    if devices is not None and devices >= 1 and speedup > SUPER_LINEAR * devices:
        yield (
            f"super-linear: {ratio(speedup)} where the devices explain {ratio(devices)}; likely the baseline "
            "was slowed by other work or throttling, or a smaller batch per device fits caches better"
        )
    same_recipe = ours.global_batch == theirs.global_batch or (
        ours.workload.learning_rate != theirs.workload.learning_rate
    )
    if run.evaluations and not same_recipe:
        yield (
            f"its global batch is {ours.global_batch} and the baseline's {theirs.global_batch} at the same "
            "learning rate: their accuracies come from two recipes"
        )
