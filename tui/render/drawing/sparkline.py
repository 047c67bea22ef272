"""A curve in one or more lines of cells."""

from __future__ import annotations

from ....engine.record.series import Series
from ..monitor.time_range import TimeRange
from .bars import BLOCKS, block_cell


def sparkline(series: Series, top: float, now: float, time: TimeRange, cells: int) -> str:
    """Return the series up to `now` in `cells` cells, full at `top`, blank where there are no points yet."""
    return "".join(
        " " if share is None else block_cell(share) for share in _shares(series, top, now, time, cells)
    )


def area_chart(series: Series, top: float, now: float, time: TimeRange, cells: int, rows: int) -> list[str]:
    """Return the series as `sparkline` does, in `rows` lines from the top down, filled below the curve."""
    shares = _shares(series, top, now, time, cells)
    if rows == 1:
        return [sparkline(series, top, now, time, cells)]
    steps = len(BLOCKS)
    lines = []
    for row in reversed(range(rows)):
        line = ""
        for share in shares:
            level = (
                -1 if share is None else max(1, round(min(1.0, max(0.0, share)) * rows * steps)) - row * steps
            )
            line += " " if level < 1 else BLOCKS[min(steps, level) - 1]
        lines.append(line)
    return lines


def _shares(series: Series, top: float, now: float, time: TimeRange, cells: int) -> list[float | None]:
    """Return the curve's share of `top` in each cell; None before its first point."""
    if cells < 1:
        return []
    start, end = time.recent(now, cells)
    shown: list[float | None] = [None] * cells
    for bucket in series.binned(start, end, cells):
        cell = min(cells - 1, int((bucket.x - start) / (end - start) * cells))
        shown[cell] = bucket.mean / top
    # Long histories have fewer points than cells: the last value holds until the next point.
    for cell in range(1, cells):
        if shown[cell] is None:
            shown[cell] = shown[cell - 1]
    return shown
