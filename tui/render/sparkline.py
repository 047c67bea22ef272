"""A curve in one line of cells."""

from __future__ import annotations

from ...engine.record.series import Series
from .time_range import TimeRange

LEVELS = "▁▂▃▄▅▆▇█"


def level(share: float) -> str:
    """One cell whose height says how much."""
    return LEVELS[min(len(LEVELS) - 1, int(max(0.0, share) * len(LEVELS)))]


def sparkline(series: Series, top: float, now: float, time: TimeRange, cells: int) -> str:
    """The series in so many cells up to `now`, full at `top`; blank where there is nothing yet."""
    if cells < 1:
        return ""
    start, end = time.recent(now, cells)
    shown = [" "] * cells
    for bucket in series.binned(start, end, cells):
        cell = min(cells - 1, int((bucket.x - start) / (end - start) * cells))
        shown[cell] = level(bucket.mean / top)
    # Long histories have fewer points than cells: what was last seen goes on until there is news.
    for cell in range(1, cells):
        if shown[cell] == " ":
            shown[cell] = shown[cell - 1]
    return "".join(shown)
