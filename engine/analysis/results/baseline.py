"""Speedup, efficiency and scaling of a run against its baseline, or the reason that there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from ... import statistics
from ...plan.plan import RunSpec
from ...record.session import RunState, Session
from ...statistics import Estimate, Interval
from ...text.units import ratio
from .comparable import declared, differences
from .configuration import Configuration, configuration_label
from .throughput import run_summary, throughputs

Scaling = Literal["weak", "strong"]

SUPER_LINEAR = 1.05
"""Ratio of speedup to devices above which a fault is more likely than a success."""


class BaselineComparison(Struct, frozen=True, kw_only=True):
    """A configuration compared with its baseline."""

    speedup: float | None = None
    interval: Interval | None = None
    """95% interval of the speedup."""
    efficiency: float | None = None
    """Speedup over the ratio of devices; None if the batch or, on as many devices, the mode differs."""
    efficiency_interval: Interval | None = None
    """95% interval of the efficiency."""
    scaling: Scaling | None = None
    notes: tuple[str, ...] = ()


def compare_with_baseline(session: Session, configuration: Configuration) -> BaselineComparison:
    """Compare a completed configuration with its baseline, each repeat with that of its own turn.

    Every field is None if the plan names no baseline.
    """
    runs = [run for run in configuration.usable if _is_done(run)]
    found = [(run, session.runs[run.spec.baseline]) for run in runs if run.spec.baseline in session.runs]
    if not found:
        return BaselineComparison()
    run, baseline = found[0]
    scaling = _scaling(run.spec, baseline.spec)
    pairs = [pair for pair in found if _has_figures(pair[0])]
    if not pairs:
        return BaselineComparison(scaling=scaling)
    name = configuration_label(baseline.spec)
    pairs = [pair for pair in pairs if _is_done(pair[1]) and _has_figures(pair[1])]
    if not pairs:
        note = f"no speedup: its baseline {name} has no figures ({_why(baseline)})"
        return BaselineComparison(scaling=scaling, notes=(note,))
    if apart := _apart(pairs):
        note = f"no speedup: not comparable with {name}, which differs in {'; '.join(apart)}"
        return BaselineComparison(scaling=scaling, notes=(note,))
    speedup = throughput_ratio(pairs)
    devices = run.spec.device_count / baseline.spec.device_count
    # A variable under test explains a speedup as devices do, and so does another mode on as many of them.
    by_devices = not (
        declared(run.spec, baseline.spec) or _is_another_way_to_share(run.spec, baseline.spec)
    ) and (scaling is not None or run.spec.global_batch == baseline.spec.global_batch)
    return BaselineComparison(
        speedup=speedup.value,
        interval=speedup.interval,
        efficiency=speedup.value / devices if by_devices else None,
        efficiency_interval=_over(speedup.interval, devices) if by_devices else None,
        scaling=scaling,
        notes=tuple(_notes(run, baseline, speedup, devices if by_devices else None)),
    )


def comparable_pairs(
    pairs: Sequence[tuple[RunState, RunState]],
) -> tuple[list[tuple[RunState, RunState]], tuple[str, ...]]:
    """Return the pairs of runs that are both done and have figures, and in what they are not comparable."""
    done = [pair for pair in pairs if all(_is_done(run) and _has_figures(run) for run in pair)]
    return done, _apart(done)


def _apart(pairs: Sequence[tuple[RunState, RunState]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for ours, theirs in pairs for text in differences(ours, theirs)))


def speedup_so_far(session: Session, run: RunState) -> float | None:
    """Return the speedup of one run over its baseline from the windows so far, cheaply.

    None without a baseline, before either has figures, or if the two are not comparable.
    """
    baseline = session.runs.get(run.spec.baseline or "")
    if baseline is None or not _is_done(baseline):
        return None
    ours, theirs = run_summary(run).throughput, run_summary(baseline).throughput
    if ours is None or not theirs or differences(run, baseline):
        return None
    return ours / theirs


def throughput_ratio(pairs: Sequence[tuple[RunState, RunState]]) -> Estimate:
    """Return X(first) / X(second) of comparable runs with figures.

    One pair is bootstrapped over its windows; several repeats have the geometric mean of their ratios, with
    Student's t of the logarithms.
    """
    windows = [(throughputs(a.complete_windows), throughputs(b.complete_windows)) for a, b in pairs]
    ratios = [statistics.median(ours) / statistics.median(theirs) for ours, theirs in windows]
    if all(a is b for a, b in pairs):
        return Estimate(1.0, None, len(ratios))
    if len(ratios) > 1:
        return Estimate(statistics.geometric_mean(ratios), statistics.repeats_interval(ratios), len(ratios))
    ((ours, theirs),) = windows
    count = min(len(ours), len(theirs))
    interval = statistics.ratio_interval(ours, theirs) if count >= statistics.FEWEST else None
    return Estimate(ratios[0], interval, count)


def _over(interval: Interval | None, devices: float) -> Interval | None:
    return None if interval is None else (interval[0] / devices, interval[1] / devices)


def _is_done(run: RunState) -> bool:
    """Return whether a run was measured, or stopped with more than one window."""
    return run.state == "measured" or (run.state == "stopped" and len(run.complete_windows) > 1)


def _has_figures(run: RunState) -> bool:
    return run_summary(run).throughput is not None


def _why(run: RunState) -> str:
    return f"{run.state}: {run.reason}" if run.reason else run.state


def _is_another_way_to_share(ours: RunSpec, theirs: RunSpec) -> bool:
    """Return whether two runs share as many devices, more than one, in different modes."""
    return ours.mode != theirs.mode and ours.device_count == theirs.device_count > 1


def _scaling(ours: RunSpec, theirs: RunSpec) -> Scaling | None:
    if ours.device_count == theirs.device_count:
        return None
    if ours.global_batch * theirs.device_count == theirs.global_batch * ours.device_count:
        return "weak"
    return "strong" if ours.global_batch == theirs.global_batch else None


def is_super_linear(efficiency: float, within: Interval | None) -> bool:
    """Return whether a speedup is more than its devices can give, beyond the noise where that is known."""
    return efficiency > SUPER_LINEAR and (within is None or within[0] > 1)


def _notes(run: RunState, baseline: RunState, speedup: Estimate, devices: float | None) -> Iterator[str]:
    ours, theirs = run.spec, baseline.spec
    if (
        devices is not None
        and devices >= 1
        and is_super_linear(speedup.value / devices, _over(speedup.interval, devices))
    ):
        yield (
            f"super-linear: {ratio(speedup.value)}, but the devices account for at most {ratio(devices)}; "
            "likely the baseline was slowed by other work or throttling, or a smaller batch per device fits "
            "caches better"
        )
    same_recipe = ours.global_batch == theirs.global_batch or (
        ours.workload.learning_rate != theirs.workload.learning_rate
    )
    if run.evaluations and not same_recipe:
        scored = any(each.test_accuracy is not None for rank in run.evaluations.values() for each in rank)
        what = "accuracies" if scored else "losses"
        yield (
            f"its global batch is {ours.global_batch} and the baseline's {theirs.global_batch} at the same "
            f"learning rate, so that their {what} are not comparable; a rate proportional to the batch "
            f"(workload.learning_rate_batch = {theirs.global_batch}) with a first epoch of warm-up "
            "(workload.warmup_epochs = 1) compensates"
        )
