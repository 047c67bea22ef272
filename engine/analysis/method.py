"""How a session's figures were obtained: what a reader needs in order to check them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..plan.plan import RunSpec
from ..record.session import Session
from .environment import devices
from .results import Result
from .units import duration, percent


def method(session: Session, found: Sequence[Result]) -> Iterator[str]:
    """One sentence or two for each thing that was defined or decided."""
    specs = session.plan.runs
    yield (
        "Throughput: samples that all ranks consumed over the slowest rank's seconds, in each window of whole "
        "optimizer steps; the table has the median over windows ±1.4826 times their median absolute deviation."
    )
    yield "Intervals: of throughput by Student's t over windows, of a speedup by bootstrap over the windows of both runs."
    yield from _comparisons(session, found)
    yield from _windows(specs)
    yield "Every run had fresh processes, and its warm-up was left out: " + _warmup(specs) + "."
    yield "Step time: median over windows of seconds per optimizer step. Batch: samples of all devices in one step."
    yield from _devices(session)
    yield _memory(session)
    if any(result.concurrency_gain is not None for result in found):
        yield (
            "Concurrency gain: trainings that share nothing but the machine, so it is no speedup of any of them; the "
            "number of devices bounds it."
        )
    if any(run.evaluations for run in session.runs.values()):
        yield "Accuracy and test loss: over the whole test set after each epoch; the table has the last epoch's."
    lost = sum(rank.lost_steps for run in session.runs.values() for rank in run.ranks.values())
    if lost:
        yield f"The live curves lack {lost:,} steps whose metrics were dropped; windows count all steps."
    if session.host.gpus:
        yield "Utilisation and power come from NVML; utilisation is the share of time in which any kernel ran."


def _comparisons(session: Session, found: Sequence[Result]) -> Iterator[str]:
    baselines = dict.fromkeys(
        session.runs[result.baseline].spec.label
        for result in found
        if result.baseline is not None and result.baseline in session.runs
    )
    if baselines:
        yield (
            f"Speedup: throughput over that of the baseline ({'; '.join(baselines)}), only where all settings but "
            "mode, devices and batch are equal. Efficiency: speedup over devices."
        )
    scalings = dict.fromkeys(result.scaling for result in found if result.scaling)
    meanings = {"weak": "each device keeps its batch", "strong": "the global batch stays the same"}
    for scaling in scalings:
        yield f"Scaling is {scaling}: with more devices {meanings[scaling]}."


def _windows(specs: Sequence[RunSpec]) -> Iterator[str]:
    for measure in dict.fromkeys(spec.measure for spec in specs):
        if measure.epochs:
            yield f"Measured while training for {measure.epochs} epochs, in windows of {duration(measure.window_seconds)}."
        else:
            until = (
                f"until half the 95% interval is within {percent(measure.target)}, or for {duration(measure.seconds)}"
                if measure.target
                else f"for {duration(measure.seconds)}"
            )
            yield f"Windows of {duration(measure.window_seconds)}, {measure.windows} at least, {until}."


def _warmup(specs: Sequence[RunSpec]) -> str:
    steps = sorted({spec.measure.warmup_steps for spec in specs})
    return f"at least {' or '.join(map(str, steps))} steps, until the step time had settled"


def _devices(session: Session) -> Iterator[str]:
    plan = session.plan
    if plan.devices and plan.devices[0].kind == "cpu":
        yield (
            f"No GPU was used: a device is an equal share of the CPU cores, here {devices(plan)}; each rank is pinned "
            "to its share, the same in every run, so nothing is oversubscribed."
        )


def _memory(session: Session) -> str:
    if session.plan.devices and session.plan.devices[0].kind == "cpu":
        return "Peak memory: the peak resident memory of the rank that used most, libraries included."
    return "Peak memory: the most that torch had allocated on any one device while measuring."
