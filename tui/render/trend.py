"""The trend of a preset: for each of its runs a plot over dates, and a table of its sessions."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.content import Content

from ...engine.analysis.sessions.trend import Trend, TrendLine
from ...engine.analysis.sessions.trend_report import (
    line_title,
    marks,
    overall_text,
    trend_columns,
    trend_notes,
)
from ...engine.record.series import Bucket
from ...engine.text.axes import short_number
from ...engine.text.tables import TextColumn
from .comparison import VERDICT_STYLES
from .drawing.grid import GridColumn, grid, wrapped
from .drawing.plot import CurvePlot, PlotAxes, PlotCurve, PlotLetter, render_plot

PLOT_WIDTH, PLOT_HEIGHT = 100, 10
MOST_PLOTS = 12
"""Most runs that have a plot."""
HOUR, DAY = 3600.0, 86400.0
DATE_STEPS = (*(60.0, 300.0, 900.0), HOUR, 6 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 91 * DAY)
"""Round distances between dates, in seconds."""
LEAST_SPAN = HOUR
"""Shortest stretch of time that a plot shows."""
INTERVAL_COLOR, LINE_COLOR, CHANGE_COLOR = 3, 1, 4


def trend_page(trend: Trend, width: int, unicode: bool) -> Content:
    """Return the plots and tables of all lines, and the notes on them."""
    letters = marks(trend)
    blocks = []
    for place, line in enumerate(trend.lines):
        parts = [wrapped(line_title(line), width, "bold")]
        if overall := overall_text(line):
            parts.append(wrapped(overall, width, "$muted"))
        if len(line.points) > 1 and place < MOST_PLOTS:
            parts.append(trend_plot(line, letters, min(PLOT_WIDTH, width), unicode))
        parts.append(grid(list(map(_column, trend_columns(line, letters))), width))
        blocks.append(Content("\n").join(parts))
    blocks += [wrapped(note, width, "$muted") for note in trend_notes(trend)]
    return Content("\n\n").join(blocks)


def trend_plot(line: TrendLine, letters: dict[tuple[str, ...], str], width: int, unicode: bool) -> Content:
    """Plot a line's throughput over dates: intervals upright, and letters where something has changed."""
    first, last = line.points[0].unix_time, line.points[-1].unix_time
    spare = max(LEAST_SPAN, last - first) / 20
    start, end = _day_of(first - spare) if last - first > 2 * DAY else first - spare, last + spare
    curve = [
        Bucket(point.unix_time, point.throughput, point.throughput, point.throughput, 1)
        for point in line.points
    ]
    intervals = [
        PlotCurve([Bucket(point.unix_time, end, end, end, 1) for end in point.interval], INTERVAL_COLOR)
        for point in line.points
        if point.interval is not None
    ]
    changes = [
        PlotLetter(point.unix_time, point.throughput, letters[point.differs][0], CHANGE_COLOR)
        for point in line.points
        if point.differs in letters
    ]
    axes = PlotAxes(_date_label(end - start), short_number, start, end, DATE_STEPS)
    dots = [(point.unix_time, point.throughput) for point in line.points]
    shown = CurvePlot([PlotCurve(curve, LINE_COLOR), *intervals], axes, (), dots, changes)
    return render_plot(shown, width, PLOT_HEIGHT, unicode)


def _day_of(unix_time: float) -> float:
    """Return the beginning of that day in local time."""
    day = time.localtime(unix_time)
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1))


def _date_label(span: float) -> Callable[[float], str]:
    form = (
        "%H:%M"
        if span < DAY
        else "%d. %H:%M"
        if span < 3 * DAY
        else "%Y-%m-%d"
        if span > 300 * DAY
        else "%m-%d"
    )
    return lambda at: time.strftime(form, time.localtime(at))


def _column(column: TextColumn) -> GridColumn:
    cells = [Content.styled(cell, VERDICT_STYLES.get(cell, "")) for cell in column.cells]
    return GridColumn(column.title, cells, column.importance, is_text=column.is_text)
