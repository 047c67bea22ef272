"""Concurrent independent trainings: the slowdown of each, and the gain of all. Never called a speedup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ... import statistics
from ...plan.plan import RunSpec
from ...record.session import RunState
from ...statistics import Interval
from ...text.units import common_unit, ratio
from .baseline import is_super_linear
from .comparable import Setting, setting_differences, workload_differences
from .configuration import Configuration
from .learning import TrainingOutcome, training_outcome
from .throughput import Summary, peak_memory, pool, summarise_configuration, throughputs


class ConcurrentTraining(Struct, frozen=True, kw_only=True):
    """One of the concurrent trainings."""

    rank: int
    workload: str
    device: str
    unit: str
    """Unit of its throughput, in the plural."""
    side_by_side: Summary
    alone: float | None
    """Throughput of the same workload in the plan's single run, in samples/s."""
    peak_memory_bytes: int | None
    learnt: TrainingOutcome | None


class Gain(Struct, frozen=True):
    """Sum of the times alone over the longest time side by side, each training the same number of samples."""

    value: float | None
    interval: Interval | None = None
    """95% interval."""
    notes: tuple[str, ...] = ()


def parts(others: Sequence[Configuration], configuration: Configuration) -> tuple[ConcurrentTraining, ...]:
    """Return the trainings of a concurrent configuration, by rank; none where all its runs failed."""
    ranks = sorted({rank for rank, _ in configuration.ranks})
    return tuple(_part(others, configuration, rank) for rank in ranks)


def concurrency_gain(
    others: Sequence[Configuration], configuration: Configuration, trainings: tuple[ConcurrentTraining, ...]
) -> Gain:
    """Return the gain of a concurrent configuration over training one after the other."""
    devices = configuration.spec.device_count
    beside = [part.side_by_side.throughput for part in trainings]
    rates = [rate for rate in beside if rate is not None]
    done = any(run.state in ("measured", "stopped") for run in configuration.usable)
    if not done or len(rates) < devices:
        return Gain(None)
    alone = [part.alone for part in trainings if part.alone is not None]
    if len(alone) < devices:
        missing = dict.fromkeys(part.workload for part in trainings if part.alone is None)
        return Gain(None, notes=(f"no concurrency gain: no comparable single run of {', '.join(missing)}",))
    gain, interval = _gain(alone, rates), _interval(others, configuration.usable)
    within = None if interval is None else (interval[0] / devices, interval[1] / devices)
    if is_super_linear(gain / devices, within):
        note = f"a gain of {ratio(gain)} is more than {devices} devices can give: a run alone was slowed"
        return Gain(gain, interval, (note,))
    return Gain(gain, interval)


def _gain(alone: Iterable[float], beside: Iterable[float]) -> float:
    """Return the gain from the rates of each training, in samples/s."""
    return sum(1 / rate for rate in alone) / max(1 / rate for rate in beside)


def _interval(others: Sequence[Configuration], runs: Sequence[RunState]) -> Interval | None:
    """Return the gain's interval: by bootstrap over windows, or by Student's t over several turns."""
    turns = [turn for run in runs if (turn := _turn(others, run)) is not None]
    if len(turns) > 1:
        gains = [_gain(*(map(statistics.median, rates) for rates in turn)) for turn in turns]
        return statistics.repeats_interval(gains)
    if not turns or min(len(rates) for side in turns[0] for rates in side) < statistics.FEWEST:
        return None
    return statistics.gain_interval(*turns[0])


def _turn(
    others: Sequence[Configuration], run: RunState
) -> tuple[statistics.Values, statistics.Values] | None:
    """Return the rates of each training's windows, alone and side by side, in one turn of the plan."""
    alone, beside = [], []
    for number, rank in sorted(run.ranks.items()):
        singles = _singles(others, run.spec, number, rank.settings)
        runs = singles.usable if singles is not None else []
        single = next((each for each in runs if each.spec.repeat == run.spec.repeat), None)
        if single is None or not single.complete_windows or not rank.windows:
            return None
        alone.append(throughputs(single.complete_windows))
        beside.append(throughputs(rank.windows))
    return (tuple(alone), tuple(beside)) if alone else None


def _part(others: Sequence[Configuration], configuration: Configuration, number: int) -> ConcurrentTraining:
    spec, ranks = configuration.spec, [rank for each, rank in configuration.ranks if each == number]
    singles = _singles(others, spec, number, ranks[0].settings)
    workload = spec.workload_of(number)
    return ConcurrentTraining(
        rank=number,
        workload=workload.title,
        device=spec.devices[number].name if number < len(spec.devices) else ranks[0].device,
        unit=common_unit(rank.unit for rank in ranks),
        side_by_side=pool([rank.windows for rank in ranks]),
        alone=summarise_configuration(singles).throughput if singles else None,
        peak_memory_bytes=peak_memory(ranks),
        learnt=training_outcome(configuration, [number]),
    )


def _singles(
    others: Sequence[Configuration], spec: RunSpec, number: int, settings: Mapping[str, Setting]
) -> Configuration | None:
    """Return the measured single-device configuration comparable with what a rank trains, if any."""
    for candidate in others:
        if candidate.spec.mode != "single" or not candidate.usable:
            continue
        single = candidate.usable[0]
        if single.state != "measured" or 0 not in single.ranks:
            continue
        same_work = not workload_differences(single.spec, spec, (0, number))
        same_batch = single.spec.batch_per_device() == spec.batch_per_device(number)
        if same_work and same_batch and not setting_differences(settings, single.ranks[0].settings):
            return candidate
    return None
