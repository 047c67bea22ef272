"""Rules on whether the devices share the work, and have enough of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...plan.remedy import Remedy
from ...record.series import during, mean
from ...text.units import duration, percent
from .case import Case, Diagnosis, Subject, at_any_batch
from .memory import is_full
from .remedies import channels_last, compiled, offered, other_batch

UNEQUAL_SAMPLES = 0.01
"""Difference in samples between ranks that a last, smaller batch explains."""
UNDIVIDED_STEPS = 0.9
"""Steps of an epoch relative to one device above which the data were not divided; two devices need half."""
STEP_GROWTH = 0.20
"""Growth of the step time for twice the batch below which most of a step does not depend on samples."""
IDLE_GPU = 70.0
"""Utilisation in percent below which a GPU is idle; decides only together with `LITTLE_INPUT`."""
LITTLE_INPUT = 0.05
"""Input share of a step below which an idle GPU is not caused by the loader."""

TOO_LITTLE = "too little work per step"


def unequal_samples(case: Case) -> Iterator[Diagnosis]:
    """Find runs whose ranks consumed different numbers of samples."""
    for run in case.runs:
        if run.spec.mode not in ("ddp", "fsdp") or run.result.state != "measured":
            continue
        samples: dict[int, int] = {}
        for number, rank in run.configuration.ranks:
            samples[number] = samples.get(number, 0) + sum(window.samples for window in rank.windows)
        if max(samples.values(), default=0) > (1 + UNEQUAL_SAMPLES) * min(samples.values(), default=0):
            yield run.diagnosis(
                "work not divided",
                "severe",
                "its ranks consumed different numbers of samples: the data were not divided equally",
                [(f"samples of rank {rank}", f"{count:,}") for rank, count in samples.items()],
                "make the data set a multiple of the global batch, and check how samples are assigned",
            )


def undivided_epochs(case: Case) -> Iterator[Diagnosis]:
    """Find runs on N devices that need more than an Nth of the baseline's steps for an epoch."""
    for run in case.trained:
        baseline = case.baseline(run)
        if baseline is None or run.spec.device_count <= baseline.spec.device_count:
            continue
        ours, theirs = _epoch(run), _epoch(baseline)
        same_batch = run.spec.batch_per_device() == baseline.spec.batch_per_device()
        if not same_batch or ours is None or theirs is None or ours[1] != theirs[1]:
            continue
        if ours[0] > UNDIVIDED_STEPS * theirs[0]:
            yield run.diagnosis(
                "work not divided",
                "severe",
                f"it takes as many steps for an epoch as {baseline.result.label}: each "
                "device trains on all of the data instead of its share",
                (
                    ("steps of an epoch", f"{ours[0]:,} for {ours[1]:,} {run.result.unit}"),
                    (f"of {baseline.result.label}", f"{theirs[0]:,} for {theirs[1]:,} {run.result.unit}"),
                ),
                "divide the samples by rank (DistributedSampler does)",
            )


def _epoch(run: Subject) -> tuple[int, int] | None:
    """Return the steps of an epoch on one rank, and the units of the training set."""
    for _, rank in run.configuration.ranks:
        if rank.steps_per_epoch and rank.train_samples:
            return rank.steps_per_epoch, rank.train_samples
    return None


def step_hardly_grows(case: Case) -> Iterator[Diagnosis]:
    """Find runs whose step takes hardly longer with twice the samples."""
    for run in case.trained:
        larger = _next_batch(case, run)
        step, longer = run.result.step_seconds, larger.result.step_seconds if larger else None
        if larger is None or not step or not longer:
            continue
        doublings = math.log2(larger.spec.global_batch / run.spec.global_batch)
        growth = (longer / step) ** (1 / doublings) - 1
        if growth < STEP_GROWTH:
            batch, twice = run.spec.batch_per_device(), larger.spec.batch_per_device()
            yield run.diagnosis(
                TOO_LITTLE,
                "warning",
                f"a step grows by {percent(growth)} when its batch of {batch} per device doubles: most of it "
                "is host work or waiting",
                (
                    (f"step at batch {batch} per device", duration(step)),
                    (f"step at batch {twice} per device", duration(longer)),
                ),
                "a larger batch, compile = true, or a larger model; at this batch, additional devices mostly "
                "wait",
                offered(case, run, _more_work(run, larger)),
            )


def _more_work(run: Subject, larger: Subject | None = None) -> Iterator[Remedy]:
    """Yield what gives a device more to do in a step, or the host less; `larger`: a run at a larger batch."""
    if larger is not None and run.result.throughput and larger.result.throughput:
        measured = larger.result.throughput / run.result.throughput
        yield other_batch(larger.spec.workload.batch, measured)
    elif not is_full(run):  # with twice the samples a step is no shorter
        yield other_batch(2 * run.spec.workload.batch, 2.0)
    yield compiled()
    if run.spec.workload.training == "images":
        yield channels_last()


def _next_batch(case: Case, run: Subject) -> Subject | None:
    """Return the same run at the smallest batch that is at least twice as large."""
    larger = [
        other
        for other in case.trained
        if (other.spec.mode, other.spec.device_count) == (run.spec.mode, run.spec.device_count)
        and other.spec.global_batch >= 2 * run.spec.global_batch
        and at_any_batch(other.spec.workload) == at_any_batch(run.spec.workload)
    ]
    return min(larger, key=lambda other: other.spec.global_batch, default=None)


def idle_gpus(case: Case) -> Iterator[Diagnosis]:
    """Find GPUs that often run no kernel although data are available."""
    for run in case.runs:
        phases = run.result.phases
        if phases is None or phases.shares["input"] >= LITTLE_INPUT:
            continue
        known = busy_gpus(case, run)
        index = min(known, key=known.__getitem__, default=None)
        if index is not None and known[index] < IDLE_GPU:
            yield run.diagnosis(
                TOO_LITTLE,
                "warning",
                f"GPU {index} runs no kernel for {100 - known[index]:.0f}% of the time although data are "
                "available: the host launches kernels more slowly than the GPU runs them",
                (
                    (f"GPU {index} runs a kernel", f"{known[index]:.0f}% of the time"),
                    ("waiting for data", f"{percent(phases.shares['input'])} of a step"),
                    ("a step", duration(run.result.step_seconds or phases.step_seconds)),
                ),
                "compile = true, or fewer and larger operations a step; for a larger batch there is no memory"
                if is_full(run)
                else "a larger batch, compile = true, or fewer and larger operations a step",
                offered(case, run, _more_work(run)),
            )


def busy_gpus(case: Case, run: Subject) -> dict[int, float]:
    """Return the utilisation of each of a run's GPUs while it was measured, in percent, where it is known."""
    found = {index: _busy(case, run, index) for index in run.configuration.gpus}
    return {index: share for index, share in found.items() if share is not None}


def _busy(case: Case, run: Subject, index: int) -> float | None:
    history = case.session.gpus.get(index)
    return None if history is None else mean(during(history.utilization, run.configuration.measured_spans))
