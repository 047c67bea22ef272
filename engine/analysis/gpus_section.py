"""Each GPU while runs were measured, and over the whole session: the report's section about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..record.series import Series
from ..record.session import Session
from ..text.ascii import WIDTH
from ..text.markdown import block, section, table
from ..text.units import clock, gib_number, number, percent
from .results.result import Result

TITLES = (
    *("run", "GPU", "runs a kernel", "torch's peak, GiB", "in use, GiB", "power, W", "SM clock, MHz"),
    "hottest, °C",
)
LEGEND = (
    "A digit is the tenths of the time in which a kernel ran, | the beginning of a run, in the plan's order."
)


def gpus_section(session: Session, found: Sequence[Result]) -> Iterator[str]:
    """A row for each GPU of each run, then how busy each was over time; nothing where there is no GPU."""
    rows = [
        (
            *(result.label, str(use.index), percent(use.busy), gib_number(use.allocated_bytes)),
            *(gib_number(use.used_bytes), number(use.power_watts), number(use.clock_mhz)),
            number(use.temperature),
        )
        for result in found
        for use in result.gpus
    ]
    lines = table(TITLES, rows, left={"run"})
    used = sorted({use.index for result in found for use in result.gpus} & set(session.gpus))
    curves = {
        index: session.gpus[index].utilization for index in used if len(session.gpus[index].utilization)
    }
    if curves and session.elapsed > 0:
        lines += ["", "How busy each was over the session:", "", *block(_timeline(session, curves))]
    yield from section("Each GPU while it was measured", lines)


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
    """A character a column: the tenths of its mean, or a blank where nothing was sampled."""
    sums = [[0.0, 0.0] for _ in range(width)]
    for bucket in curve.buckets():
        column = sums[_column(bucket.x, elapsed, width)]
        column[0] += bucket.mean * bucket.points
        column[1] += bucket.points
    return "".join(str(min(9, int(total / points / 10))) if points else " " for total, points in sums)


def _column(at: float, elapsed: float, width: int) -> int:
    return min(width - 1, max(0, int(width * at / elapsed)))
