"""Plots drawn by plotext, resampled to the available columns, in the colours of the theme."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from textual.content import Content

from ....engine.record.series import Bucket
from ....engine.text.axes import inner_ticks

LEAST_WIDTH, LEAST_HEIGHT = 24, 4
LEAST_SPAN = 0.04
"""Least height of the y axis, as a share of the largest value."""
_SERIES_STYLES = {"1": "$primary", "2": "$accent", "3": "$success", "4": "$error"}
_ANSI = re.compile(r"\x1b\[([\d;]*)m")


class PlotCurve(NamedTuple):
    """A curve: buckets of points, oldest first."""

    buckets: Sequence[Bucket]
    color: int = 1
    """Number of a plot colour of the theme, 1 to 4."""
    letter: str = ""
    """Letter drawn on the curve, so that it differs from the others not by colour alone; may be empty."""


class PlotLevel(NamedTuple):
    """A constant value, drawn as a horizontal line if it lies within the plot."""

    value: float
    color: int


class PlotAxes(NamedTuple):
    """Formats of the numbers at the axes, and the range of the x axis."""

    x_label: Callable[[float], str]
    y_label: Callable[[float], str]
    x_from: float
    x_to: float
    x_steps: Sequence[float] = ()
    """Allowed distances between the numbers of the x axis; then 1, 2 and 5 times a power of ten."""
    y_limits: tuple[float, float] = (-math.inf, math.inf)
    """Least and greatest value that there can be; the y axis ends there."""


class PlotLetter(NamedTuple):
    """A letter drawn at a point."""

    x: float
    y: float
    letter: str
    color: int


class CurvePlot(NamedTuple):
    """Contents of a plot, in at most four colours."""

    curves: Sequence[PlotCurve]
    axes: PlotAxes
    levels: Sequence[PlotLevel] = ()
    marks: Sequence[tuple[float, float]] = ()
    """Single points, x and y."""
    letters: Sequence[PlotLetter] = ()
    """Letters over the points."""


def render_plot(shown: CurvePlot, width: int, height: int, unicode: bool) -> Content:
    """Return the plot in `width` x `height` cells, in braille if `unicode`."""
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return Content.styled("too small to plot: z enlarges it", "$muted")
    buckets = [bucket for curve in shown.curves for bucket in curve.buckets]
    if not buckets:
        return Content.styled("waiting for the first steps", "$muted")
    axes = shown.axes
    marked = [y for _, y in shown.marks]
    y_from, y_to = _span(
        min([bucket.low for bucket in buckets] + marked), max([bucket.high for bucket in buckets] + marked)
    )
    y_from, y_to = max(y_from, axes.y_limits[0]), min(y_to, axes.y_limits[1])
    x_ticks = inner_ticks(0, axes.x_to - axes.x_from, max(2, width // 14), axes.x_steps)
    y_ticks = inner_ticks(y_from, y_to, max(2, min(6, (height - 1) // 2)))
    figure = _fresh_figure(width, height)
    for one in shown.curves:
        points = _zigzag(one.buckets)
        _draw_line(figure, _within(points, axes), _marker(unicode, one.color))
    for place, one in enumerate(shown.curves):
        if one.letter and one.buckets:
            # At different places, so that curves that run together keep their letters apart.
            bucket = one.buckets[(len(one.buckets) - 1) * (2 * place + 1) // (2 * len(shown.curves))]
            ((x, y),) = _within([(bucket.x, bucket.mean)], axes)
            figure.draw(figure.signal([x], [y], marker=_letter(one)))
    for level in shown.levels:
        if y_from <= level.value <= y_to:
            ends = [(axes.x_from, level.value), (axes.x_to, level.value)]
            _draw_line(figure, ends, _marker(unicode, level.color))
    if shown.marks:
        xs, ys = zip(*shown.marks, strict=True)
        figure.draw(figure.signal(list(xs), list(ys), marker=_marker(unicode, 2, "•", "o")))
    for letter in shown.letters:
        figure.draw(figure.signal([letter.x], [letter.y], marker=_letter(letter)))
    places = [axes.x_from + x for x in x_ticks]
    figure.ruler("x", "lower").lim(axes.x_from, axes.x_to).ticks(places, [axes.x_label(x) for x in places])
    figure.ruler("y", "left").lim(y_from, y_to).ticks(y_ticks, [axes.y_label(y) for y in y_ticks])
    return _to_content(figure.build().string())


def _within(points: Sequence[tuple[float, float]], axes: PlotAxes) -> list[tuple[float, float]]:
    """Return points with those beyond the axes moved to their ends.

    Plotext takes memory for every cell of a line, in sight or not: a damaged record could take all of it.
    """
    (bottom, top), left, right = axes.y_limits, axes.x_from, axes.x_to
    return [(min(max(x, left), right), min(max(y, bottom), top)) for x, y in points]


def _draw_line(figure: Any, points: Sequence[tuple[float, float]], marker: Any) -> None:
    figure.draw(figure.signal([x for x, _ in points], [y for _, y in points], marker=marker).lines())


def _fresh_figure(width: int, height: int) -> Any:
    # Importing plotext takes a third of the app's start-up time.
    import plotext

    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear.all()
    figure.theme("colorless")
    figure.axes(False, side="upper", axis="x")
    figure.axes(False, side="right", axis="y")
    figure.plot_size(width, height)
    return figure


def _marker(unicode: bool, color: int, character: str = "braille", plain: str = "") -> Any:
    import plotext

    return plotext.marker(character if unicode else plain or "*.-x"[color - 1], color)


def _letter(of: PlotCurve | PlotLetter) -> Any:
    import plotext

    return plotext.marker(of.letter, of.color)


def _zigzag(buckets: Sequence[Bucket]) -> list[tuple[float, float]]:
    """Return the mean of each bucket, or its extremes if they differ, the nearer to the last point first."""
    points: list[tuple[float, float]] = []
    for bucket in buckets:
        if bucket.low == bucket.high:
            points.append((bucket.x, bucket.mean))
            continue
        falling = bool(points) and abs(points[-1][1] - bucket.high) < abs(points[-1][1] - bucket.low)
        ends = (bucket.high, bucket.low) if falling else (bucket.low, bucket.high)
        points += [(bucket.x, end) for end in ends]
    return points


def _span(low: float, high: float) -> tuple[float, float]:
    """Return the range of the y axis: the data and a margin, in steps, so that it changes rarely."""
    # A flat curve needs some height, but its noise must not look dramatic.
    least = LEAST_SPAN * max(abs(low), abs(high), 1e-6)
    margin = max(0.05 * (high - low), (least - (high - low)) / 2)
    low, high = low - margin, high + margin
    step = 10.0 ** math.floor(math.log10(high - low)) / 4
    return math.floor(low / step) * step, math.ceil(high / step) * step


def _to_content(text: str) -> Content:
    """Convert plotext's output, with the colours of the theme in place of its own."""
    parts: list[Content | tuple[str, str]] = []
    style = "$muted"
    for position, piece in enumerate(_ANSI.split(text.rstrip("\n"))):
        if position % 2:
            code = piece.rpartition(";")[2]
            style = _SERIES_STYLES.get(code, "$muted") if ";" in piece else "$muted"
        elif piece:
            parts.append((piece, style))
    return Content.assemble(*parts)
