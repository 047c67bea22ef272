"""The definitions and choices behind a session's figures, for readers who want to check them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...plan.plan import RunSpec
from ...plan.preset.preset import Measure
from ...record.session import Session
from ...text.units import count, duration, percent
from ..analysis import Analysis
from ..environment import devices
from ..results.result import Result


def method(analysis: Analysis) -> Iterator[str]:
    """Yield one or two sentences on each definition and each choice behind the figures."""
    session, found = analysis.session, analysis.results
    yield (
        "Intervals: 95%, from five windows on; of the median throughput by order statistics, of a speedup by "
        "bootstrap of the log ratio over the windows of both runs. Both are widened for the autocorrelation "
        "of consecutive windows."
    )
    if any(result.repeats > 1 for result in found):
        yield (
            "Repeats were interleaved. Their figure is the geometric mean, each repeat against the baseline "
            "of its own turn, with an interval by Student's t: that of two or three repeats is wide."
        )
    yield from _comparisons(session, found)
    yield from _durations(session.plan.runs)
    yield "Processes: new ones for every run, one per device (dp: one for all devices)."
    yield from _devices(session)
    yield from _others(found)
    yield from _precision(session.plan.runs)
    yield from _replicas(found)
    yield from _training(session)


def _comparisons(session: Session, found: Sequence[Result]) -> Iterator[str]:
    baselines = dict.fromkeys(
        session.runs[result.baseline].spec.label
        for result in found
        if result.baseline is not None and result.baseline in session.runs
    )
    if baselines:
        yield (
            f"Baseline: {'; '.join(baselines)}. A speedup is given only if all settings but mode, devices "
            "and batch are equal."
        )
    meanings = {"weak": "the batch per device stays the same", "strong": "the global batch stays the same"}
    for scaling in dict.fromkeys(result.scaling for result in found if result.scaling):
        yield f"Scaling: {scaling}; with more devices, {meanings[scaling]}."


def _durations(specs: Sequence[RunSpec]) -> Iterator[str]:
    for measure in dict.fromkeys(spec.measure for spec in specs):
        yield (
            f"Warm-up is excluded: at least {measure.warmup_steps} steps, until the step time settled or a "
            "time limit was reached (stated if so). "
            f"Throughput was then measured in windows of about {duration(measure.window_seconds)}, "
            f"{_until(measure)}."
        )


def _until(measure: Measure) -> str:
    if measure.epochs:
        return f"for {count(measure.epochs, 'epoch')}"
    limit = f"{duration(measure.seconds)} had been measured"
    if measure.target:
        limit = f"half the 95% interval of throughput was within {percent(measure.target)}, or {limit}"
    return f"at least {measure.windows}, until {limit}"


def _devices(session: Session) -> Iterator[str]:
    plan = session.plan
    if plan.devices and plan.devices[0].kind == "cpu":
        yield (
            f"Devices: no GPU was used; a device is an equal share of the CPU cores, here {devices(plan)}. "
            "Each rank is pinned to its share, the same in every run, so that no core is oversubscribed."
        )
    elif any(device.cores for device in plan.devices):
        yield (
            "Cores: each rank was pinned to the CPU cores of the socket that its GPU is attached to, in dp "
            "to those of all its GPUs."
        )


def _others(found: Sequence[Result]) -> Iterator[str]:
    known = [(result.others_on_cpus, result.label) for result in found if result.others_on_cpus is not None]
    if known:
        most, label = max(known)
        yield (
            f"Other programs: while windows were measured, they used at most {percent(most)} of a run's CPUs "
            f"({label})."
        )


def _precision(runs: Sequence[RunSpec]) -> Iterator[str]:
    on_gpus = [run for run in runs if any(device.kind == "cuda" for device in run.devices)]
    if any(workload.precision == "fp32" for run in on_gpus for workload in run.workloads):
        yield (
            'Precision: "fp32" excludes TF32 everywhere. By default torch uses TF32 in cuDNN convolutions, '
            'so "fp32" elsewhere may be faster on GPUs since Ampere; precision = "tf32" uses it everywhere.'
        )


def _replicas(found: Sequence[Result]) -> Iterator[str]:
    equal = [result.label for result in found if result.replicas_equal]
    if equal:
        yield f"Replicas: all ranks ended with bitwise equal parameters: {'; '.join(equal)}."


def _training(session: Session) -> Iterator[str]:
    runs = session.runs.values()
    lost = sum(rank.lost_steps for run in runs for rank in run.ranks.values())
    if lost:
        yield f"Dropped metrics: the live curves lack {lost:,} steps; windows count every step."
