"""The definitions and choices behind a session's figures, for readers who want to check them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...plan.plan import RunSpec
from ...plan.preset import Measure
from ...record.session import Session
from ...text.units import duration, percent
from ..analysis import Analysis
from ..environment import devices
from ..results.result import Result


def method(analysis: Analysis) -> Iterator[str]:
    """Yield one or two sentences on each definition and each choice behind the figures."""
    session, found = analysis.session, analysis.results
    yield (
        "Throughput: samples that all ranks consumed over the slowest rank's seconds, in each window of "
        "whole steps; the table has the median over windows ± 1.4826 times their median absolute deviation."
    )
    yield "Step: median over windows of an optimizer step's time. Batch: samples of all devices in a step."
    yield (
        "Intervals: 95%, from five windows on; of the median throughput by order statistics, of a speedup by "
        "bootstrap of the log ratio over the windows of both runs, both widened as much as windows depend on "
        "those before them."
    )
    if any(result.repeats > 1 for result in found):
        yield (
            "Repeats were done in turns. A figure of several is their geometric mean, each against the "
            "baseline of its own turn, and its interval that of Student's t over them: two or three repeats "
            "say little."
        )
    yield from _comparisons(session, found)
    yield from _durations(session.plan.runs)
    yield "Every run had fresh processes, one for each device (dp: one for all of them)."
    yield from _devices(session)
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
            f"Speedup: throughput over that of the baseline ({'; '.join(baselines)}), given only where all "
            "settings but mode, devices and batch are equal. Efficiency: speedup over devices."
        )
    meanings = {"weak": "a device keeps its batch", "strong": "the global batch stays the same"}
    for scaling in dict.fromkeys(result.scaling for result in found if result.scaling):
        yield f"Scaling is {scaling}: with more devices {meanings[scaling]}."
    if any(result.mode == "concurrent" for result in found):
        yield (
            "Concurrency gain: independent trainings side by side against one after the other. It is no "
            "speedup of any of them, and the number of devices bounds it."
        )


def _durations(specs: Sequence[RunSpec]) -> Iterator[str]:
    for measure in dict.fromkeys(spec.measure for spec in specs):
        yield (
            f"Warm-up is left out: at least {measure.warmup_steps} steps, until the step time had settled "
            "or a time limit was reached, which is then said. "
            f"Then windows of about {duration(measure.window_seconds)}, {_until(measure)}."
        )


def _until(measure: Measure) -> str:
    if measure.epochs:
        return f"for {measure.epochs} epochs"
    limit = f"{duration(measure.seconds)} had been measured"
    if measure.target:
        limit = f"half the 95% interval of throughput was within {percent(measure.target)}, or {limit}"
    return f"{measure.windows} at least, until {limit}"


def _devices(session: Session) -> Iterator[str]:
    plan = session.plan
    if plan.devices and plan.devices[0].kind == "cpu":
        yield (
            f"No GPU was used: a device is an equal share of the CPU cores, here {devices(plan)}. Each rank "
            "is pinned to its share, the same in every run, so that nothing is oversubscribed."
        )
        yield "Peak memory: peak resident memory of the rank that used most, libraries included."
    else:
        yield "Peak memory: the most that torch had allocated on any one device while measuring."


def _precision(runs: Sequence[RunSpec]) -> Iterator[str]:
    on_gpus = [run for run in runs if any(device.kind == "cuda" for device in run.devices)]
    if any(workload.precision == "fp32" for run in on_gpus for workload in run.workloads):
        yield (
            "fp32 is without TF32 throughout. By default torch uses TF32 in cuDNN's convolutions, so that an "
            '"fp32" of others may be faster on GPUs since Ampere; precision = "tf32" uses it everywhere.'
        )


def _replicas(found: Sequence[Result]) -> Iterator[str]:
    equal = [result.label for result in found if result.replicas_equal]
    if equal:
        yield f"All ranks ended with the same parameters, bit for bit: {'; '.join(equal)}."


def _training(session: Session) -> Iterator[str]:
    runs = session.runs.values()
    if any(run.evaluations for run in runs):
        yield "Accuracy and test loss: over the test set after an epoch; the table has the last epoch's."
    lost = sum(rank.lost_steps for run in runs for rank in run.ranks.values())
    if lost:
        yield f"The live curves lack {lost:,} steps whose metrics were dropped; windows count every step."
