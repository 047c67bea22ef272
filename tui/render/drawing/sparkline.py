"""A curve in one line of cells."""

from __future__ import annotations

from ....engine.record.series import Series
from ..monitor.time_range import TimeRange
from .bars import block_cell


def sparkline(series: Series, top: float, now: float, time: TimeRange, cells: int) -> str:
    """Return the series up to `now` in `cells` cells, full at `top`, blank where there are no points yet."""
    if cells < 1:
        return ""
    start, end = time.recent(now, cells)
    shown = [" "] * cells
    for bucket in series.binned(start, end, cells):
        cell = min(cells - 1, int((bucket.x - start) / (end - start) * cells))
        shown[cell] = block_cell(bucket.mean / top)
    # Long histories have fewer points than cells: the last value holds until the next point.
    for cell in range(1, cells):
        if shown[cell] == " ":
            shown[cell] = shown[cell - 1]
    return "".join(shown)
