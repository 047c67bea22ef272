"""The report's sections on arithmetic, energy, memory and GPU utilisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...record.series import Series
from ...record.session import Session
from ...text.ascii import WIDTH
from ...text.markdown import block, markdown_table, section
from ...text.units import NOT_AVAILABLE, clock, gib_number, in_unit, number, percent
from ..analysis import Analysis
from ..results.devices import Compute
from ..results.result import Result
from .columns import unit_of

COLUMNS: dict[str, Callable[[Compute], str]] = {
    "GFLOP per step": lambda c: _scaled(c.flop_per_step, 1e9),
    "TFLOP/s per device": lambda c: _scaled(c.flop_per_second_per_device, 1e12),
    "peak measured": lambda c: _scaled(c.peak_flop_per_second, 1e12),
    "by datasheet": lambda c: _scaled(c.datasheet_flop_per_second, 1e12),
    "MFU": lambda c: percent(c.mfu),
    "J per sample": lambda c: number(c.joules_per_sample),
    "samples per J": lambda c: number(c.samples_per_joule),
    "allocated, GiB": lambda c: gib_number(c.peak_allocated_bytes),
    "reserved, GiB": lambda c: gib_number(c.peak_reserved_bytes),
    "headroom": lambda c: percent(c.headroom),
    "allocator retries": lambda c: NOT_AVAILABLE if c.allocator_retries is None else str(c.allocator_retries),
}


def utilisation(found: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Return the columns of `COLUMNS` for which a result has a figure, and a row for each result."""
    measured = [(result, result.compute) for result in found if result.compute is not None]
    shown = [title for title, cell in COLUMNS.items() if any(cell(c) != NOT_AVAILABLE for _, c in measured)]
    return shown, [[result.label, *(COLUMNS[title](c) for title in shown)] for result, c in measured]


def devices_section(found: Sequence[Result]) -> Iterator[str]:
    """Yield the section: a row for each run, with the columns for which a run has a figure."""
    shown, rows = utilisation(found)
    titles = ["run", *(in_unit(title, unit_of(found)) for title in shown)]
    yield from section("Device utilisation", markdown_table(titles, rows, left={"run"}) if shown else [])


def _scaled(value: float | None, unit: float) -> str:
    return NOT_AVAILABLE if value is None else number(value / unit)


TITLES = (
    *("run", "GPU", "utilisation", "torch's peak, GiB", "peak in use, GiB", "power, W", "SM clock, MHz"),
    *("peak, °C", "other programs"),
)
LEGEND = (
    "Digits: utilisation in tenths (share of time in which a kernel ran). | marks the start of a run, "
    "in the plan's order."
)


def gpus_section(analysis: Analysis) -> Iterator[str]:
    """Yield the section: a row for each GPU of each run, and utilisation over time; empty without GPUs."""
    session, found = analysis.session, analysis.results
    rows = [
        (
            *(result.label, str(use.index), percent(use.busy), gib_number(use.allocated_bytes)),
            *(gib_number(use.used_bytes), number(use.power_watts), number(use.clock_mhz)),
            *(number(use.temperature), percent(use.others)),
        )
        for result in found
        for use in result.gpus
    ]
    lines = markdown_table(TITLES, rows, left={"run"})
    used = sorted({use.index for result in found for use in result.gpus} & set(session.gpus))
    curves = {
        index: session.gpus[index].utilization for index in used if len(session.gpus[index].utilization)
    }
    if curves and session.elapsed > 0:
        lines += ["", "Utilisation over the session:", "", *block(_timeline(session, curves))]
    yield from section("Per-GPU utilisation", lines)


def _timeline(session: Session, curves: dict[int, Series]) -> Iterator[str]:
    width = min(WIDTH, max(map(len, curves.values())))
    names = {index: f"GPU {index}" for index in curves}
    margin = max(map(len, names.values())) + 1
    begun = [run.started_at for run in session.runs.values() if run.started_at is not None]
    starts = {_column(at, session.elapsed, width) for at in begun}
    yield " " * margin + "".join("|" if column in starts else " " for column in range(width))
    for index, curve in curves.items():
        yield names[index].ljust(margin) + _digits(curve, session.elapsed, width)
    end = clock(session.elapsed)
    yield " " * margin + clock(0) + end.rjust(width - len(clock(0)))
    yield ""
    yield LEGEND


def _digits(curve: Series, elapsed: float, width: int) -> str:
    """Return one digit for each column, the tenths of its mean; a blank if nothing was sampled."""
    sums = [[0.0, 0.0] for _ in range(width)]
    for bucket in curve.buckets():
        column = sums[_column(bucket.x, elapsed, width)]
        column[0] += bucket.mean * bucket.points
        column[1] += bucket.points
    return "".join(str(min(9, int(total / points / 10))) if points else " " for total, points in sums)


def _column(at: float, elapsed: float, width: int) -> int:
    return min(width - 1, max(0, int(width * at / elapsed)))
