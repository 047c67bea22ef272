"""Rules on whether runs fit into their devices' memory, and with how much headroom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...plan.remedy import Cost, Remedy
from ...text.units import gib, percent
from .case import Case, Diagnosis, Figure, Subject
from .remedies import computing_in, offered, sixteen_bits

HEADROOM = 0.1
"""Free share of a device's memory below which a slightly larger input runs out of memory."""
ALLOC_CONF_TORCH = (2, 12)
"""First torch that reads all of PYTORCH_ALLOC_CONF; before, only PYTORCH_CUDA_ALLOC_CONF works everywhere
(pytorch/pytorch#183387)."""


def is_full(run: Subject) -> bool:
    """Return whether a device of a run has hardly any memory left."""
    found = run.result.compute
    return found is not None and found.headroom is not None and found.headroom < HEADROOM


def little_memory(case: Case) -> Iterator[Diagnosis]:
    """Find runs with little free memory, or whose allocator had to free its cache repeatedly."""
    for run in case.runs:
        found = run.result.compute
        if found is None:
            continue
        full = is_full(run)
        if not full and not found.allocator_retries:
            continue
        figures: list[Figure] = []
        if found.headroom is not None:
            figures.append(
                ("peak in use", f"{percent(1 - found.headroom)} of {gib(found.device_memory_bytes)}")
            )
        if found.allocator_retries is not None:
            figures.append(("allocations that had to free memory first", str(found.allocator_retries)))
        yield run.diagnosis(
            "memory nearly full",
            "warning",
            "it leaves little of its device's memory free"
            if full
            else "it had to release cached memory before it could continue, which costs time",
            figures,
            f'a smaller batch, {_checkpointing(run)}or precision = "bf16"; against fragmentation '
            f"{_alloc_conf(case.session.host.software.torch)}=expandable_segments:True",
            offered(case, run, _less_memory(case, run, None, None if found.allocator_retries else 1.0)),
        )


def _checkpointing(run: Subject) -> str:
    """Return the way that keeps fewer activations, with a comma; empty where the run does so already."""
    kept = run.spec.workload.checkpoint_activations == "none"
    return 'checkpoint_activations = "every", ' if kept else ""


def _alloc_conf(torch: str | None) -> str:
    """Return the environment variable that this torch reads its allocator's settings from."""
    version = re.match(r"(\d+)\.(\d+)", torch or "")
    recent = version is not None and (int(version[1]), int(version[2])) >= ALLOC_CONF_TORCH
    return "PYTORCH_ALLOC_CONF" if recent else "PYTORCH_CUDA_ALLOC_CONF"


def out_of_memory(case: Case) -> Iterator[Diagnosis]:
    """Find runs that did not fit, and the largest batch that did."""
    for run in case.runs:
        if run.result.failure is None or run.result.failure.kind != "out of memory":
            continue
        batch, fits = run.spec.batch_per_device(), _largest_that_fits(case, run)
        memory = [gpu.memory_bytes for gpu in case.session.host.gpus if gpu.index in run.configuration.gpus]
        known = [size for size in memory if size is not None]
        figures = [("does not fit", f"batch {batch} per device")]
        figures += [("fits", f"batch {fits} per device")] if fits else []
        figures += [("memory of its smallest device", gib(min(known)))] if known else []
        yield run.diagnosis(
            "out of memory",
            "severe",
            f"it does not fit at batch {batch} per device"
            + (f"; batch {fits} does" if fits else ", and no smaller batch was measured"),
            figures,
            f"batch {fits or max(1, batch // 2)} per device (accumulate keeps the global batch), "
            f'{_checkpointing(run)}precision = "bf16", or fsdp over more devices',
            offered(case, run, _less_memory(case, run, fits, None)),
        )


def _less_memory(case: Case, run: Subject, fits: int | None, ceiling: float | None) -> Iterator[Remedy]:
    """Yield what takes less memory; `fits` is a batch per device that does, as far as one is known.

    They cost time: where no allocation had to wait, the ceiling is that nothing is to be gained.
    """
    spec, changes = run.spec, {"checkpoint_activations": "every"}
    if spec.workload.checkpoint_activations == "none":
        yield Remedy(name="checkpointed activations", changes=changes, ceiling=ceiling)
    yield from _smaller_batch(run, fits, ceiling)
    if spec.mode in ("dp", "ddp") and spec.device_count > 1:
        # FSDP casts the parameters themselves, and gathers them so.
        costs: tuple[Cost, ...] = ("numerics",) if spec.workload.precision in ("fp16", "bf16") else ()
        yield Remedy(name="FSDP", changes={"mode": "fsdp"}, costs=costs, ceiling=ceiling)
    if spec.workload.precision in ("fp32", "tf32"):
        yield computing_in(sixteen_bits(case, run), None)


def _smaller_batch(run: Subject, fits: int | None, ceiling: float | None) -> Iterator[Remedy]:
    """Yield a smaller batch, accumulated to the samples that a step has now where they can be divided so."""
    workload, batch = run.spec.workload, run.spec.batch_per_device()
    smaller = fits or batch // 2
    if not smaller:
        return
    times, rest = divmod(batch, smaller)
    changes: dict[str, Any] = {"batch": workload.batch * smaller // batch}
    if rest:
        yield Remedy(name="a smaller batch", changes=changes, costs=("recipe",), ceiling=ceiling)
        return
    # The statistics of a batch norm are then those of fewer samples.
    costs: tuple[Cost, ...] = () if workload.training == "tokens" else ("numerics",)
    changes["accumulate"] = times * workload.accumulate
    yield Remedy(name="a smaller batch, accumulated", changes=changes, costs=costs, ceiling=ceiling)


def _largest_that_fits(case: Case, run: Subject) -> int | None:
    batches = [
        other.spec.batch_per_device()
        for other in case.runs
        if other.result.state == "measured"
        and (other.spec.mode, other.spec.device_count) == (run.spec.mode, run.spec.device_count)
        and other.result.workload == run.result.workload
    ]
    return max((batch for batch in batches if batch < run.spec.batch_per_device()), default=None)
