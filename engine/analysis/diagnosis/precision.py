"""Rule on whether a run uses the units of its GPUs that are made for the arithmetic of training."""

from __future__ import annotations

from collections.abc import Iterator

from ...plan.workload.workload import Precision
from ...text.units import percent
from ..results.datasheet import datasheet_peak
from .case import Case, Diagnosis, Figure, Subject
from .remedies import computing_in, offered, sixteen_bits
from .work import IDLE_GPU, busy_gpus

LOW_MFU = 0.20
"""MFU below which most of a GPU's arithmetic is unused. Large trainings reach 21 to 46% of the tensor cores'
peak (Chowdhery et al. 2022, PaLM, table 3), which by datasheets is 4 to 16 times that of fp32."""
COMPUTING = 0.5
"""Share of a step in forward and backward below which faster arithmetic is not what it needs first."""


def slow_arithmetic(case: Case) -> Iterator[Diagnosis]:
    """Find GPUs that compute in fp32, slowly against what their tensor cores can do."""
    for run in case.trained:
        found = run.result.compute
        if found is None or run.spec.workload.precision != "fp32" or not run.configuration.gpus:
            continue
        achieved, computing = found.flop_per_second_per_device, _computing(run)
        peak = _peak(run, "bf16") or _peak(run, "fp16")
        share = achieved / peak if achieved and peak else found.mfu
        idle = any(busy < IDLE_GPU for busy in busy_gpus(case, run).values())
        if share is None or share >= LOW_MFU or computing < COMPUTING or idle:
            continue
        faster: tuple[Precision, ...] = ("tf32", sixteen_bits(case, run))
        yield run.diagnosis(
            "low MFU in fp32",
            "info",
            f"its arithmetic in fp32 reaches {percent(share)} of what its GPUs can do"
            + (" in 16 bits" if peak else ""),
            list(_figures(run, computing)),
            'precision = "tf32", "bf16" or "fp16", which use the tensor cores, and round more coarsely',
            offered(
                case,
                run,
                [computing_in(precision, _ceiling(run, precision, computing)) for precision in faster],
            ),
        )


def _figures(run: Subject, computing: float) -> Iterator[Figure]:
    found = run.result.compute
    if found is not None and found.flop_per_second_per_device:
        yield "arithmetic of each GPU", f"{found.flop_per_second_per_device / 1e12:,.1f} TFLOP/s"
    if found is not None and found.mfu is not None:
        yield "MFU, of the peak measured in fp32", percent(found.mfu)
    precisions: tuple[Precision, ...] = ("fp32", "tf32", "bf16")
    for precision in precisions:
        if peak := _peak(run, precision):
            yield f"datasheet peak in {precision}", f"{peak / 1e12:,.1f} TFLOP/s"
    if run.result.phases is not None:
        yield "forward and backward", f"{percent(computing)} of a step"


def _computing(run: Subject) -> float:
    """Return the share of a step that is forward and backward; all of it where that was not measured."""
    phases = run.result.phases
    return 1.0 if phases is None else phases.shares["forward"] + phases.shares["backward"]


def _peak(run: Subject, precision: Precision) -> float | None:
    """Return the dense peak of the run's slowest GPU by its datasheet, in FLOP/s; None if one is unknown."""
    peaks = [datasheet_peak(device.name, precision) for device in run.spec.devices]
    known = [peak for peak in peaks if peak is not None]
    return min(known) if known and len(known) == len(peaks) else None


def _ceiling(run: Subject, precision: Precision, computing: float) -> float | None:
    """Return what is left where forward and backward take as much less time as the peak is higher."""
    ours, theirs = _peak(run, "fp32"), _peak(run, precision)
    if ours is None or theirs is None:
        return None
    return 1 / (1 - computing + computing * ours / theirs)
