"""Line plots, whose lines differ in colour and in the shape of their marks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from ...statistics import Interval
from ...text.axes import axis_labels, covering_ticks
from .scale import Scale
from .style import SERIES, SMALL
from .svg import Drawing, element, label, width_of

HEIGHT, HEADER, FOOT = 190.0, 24.0, 36.0
SPARE = 8.0
"""Distance between the axes and the outermost points, in pixels."""
TICKS = 5
MOST_MARKS = 12
"""Most marks on one line."""
MARKS = (
    "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0",
    "M-3.2 -3.2h6.4v6.4h-6.4z",
    "M0 -4.4L4.2 3.2H-4.2z",
    "M0 -4.6L4.6 0L0 4.6L-4.6 0z",
)


class Point(Struct, frozen=True):
    """A point of a line; y is None at a gap."""

    x: float
    y: float | None
    interval: Interval | None = None


class Line(Struct, frozen=True, kw_only=True):
    """One line; its number determines colour and mark."""

    number: int
    points: tuple[Point, ...]
    training: bool = False
    """Whether the line is thin and dotted, without marks."""


class Plot(Struct, frozen=True, kw_only=True):
    """Lines over common axes."""

    title: str
    over: str
    """Title of the horizontal axis."""
    lines: tuple[Line, ...]
    written: Callable[[Sequence[float]], list[str]] = axis_labels
    """Function that writes the labels of the vertical axis."""
    at: tuple[float, ...] = ()
    """Labelled values of a logarithmic horizontal axis; if empty, the axis is linear with integer labels."""
    from_zero: bool = False
    most: float = math.inf
    """Greatest value that there can be; the vertical axis ends there."""

    @property
    def points(self) -> list[Point]:
        """Points of all lines that have a value."""
        return [point for line in self.lines for point in line.points if point.y is not None]


def line_plot(plot: Plot, width: float) -> Drawing:
    """Draw the plot at a width in pixels, without a legend."""
    rows = _rows(plot)
    texts = plot.written(rows)
    left = max(width_of(text, SMALL) for text in texts) + 8
    bottom = HEADER + HEIGHT
    y = Scale(low=rows[0], high=rows[-1], start=bottom, end=HEADER)
    xs = [point.x for point in plot.points]
    x = Scale(low=min(xs), high=max(xs), start=left + SPARE, end=width - SPARE, logarithmic=bool(plot.at))
    drawn = [
        label(0, 12, plot.title, "muted small"),
        label(width, bottom + 31, plot.over, "muted small", "end"),
    ]
    for row, text in zip(rows, texts, strict=True):
        kind = "axis" if row == rows[0] else "grid"
        drawn.append(element("line", x1=left, y1=y(row), x2=width, y2=y(row), class_=kind))
        drawn.append(label(left - 6, y(row) + 4, text, "muted small", "end"))
    right = 0.0
    for column in plot.at or _columns(min(xs), max(xs)):
        text = f"{column:,g}"
        half = width_of(text, SMALL) / 2
        if x(column) - half > right:
            drawn.append(label(x(column), bottom + 16, text, "muted small", "middle"))
            right = x(column) + half
    for line in plot.lines:
        drawn.extend(_line(line, x, y))
    return Drawing(bottom + FOOT, tuple(drawn))


def mark(number: int, x: float = 0, y: float = 0) -> str:
    """Draw the mark of a line at x."""
    return element(
        "path",
        d=MARKS[number % len(MARKS)],
        class_=f"mark-{number % len(SERIES)}",
        transform=f"translate({x:.1f} {y:.1f})",
    )


def _rows(plot: Plot) -> list[float]:
    ends = [end for point in plot.points for end in point.interval or ()]
    values = [*ends, *(point.y for point in plot.points if point.y is not None)]
    rows = covering_ticks(0.0 if plot.from_zero else min(values), max(values), TICKS)
    beyond = max(0.0, rows[-1] - plot.most)  # of equal values, the axis covers some more
    return [row - beyond for row in rows]


def _columns(low: float, high: float) -> list[float]:
    return [tick for tick in covering_ticks(low, high, TICKS) if low <= tick <= high and tick == round(tick)]


def _line(line: Line, x: Scale, y: Scale) -> Iterator[str]:
    path, pen_down = "", False
    for point in line.points:
        if point.y is not None:
            path += f"{'L' if pen_down else 'M'}{x(point.x):.1f} {y(point.y):.1f}"
        pen_down = point.y is not None
    kind = "training" if line.training else ""
    yield element("path", d=path, class_=f"line line-{line.number % len(SERIES)} {kind}".strip())
    if line.training:
        return
    stride = -(-len(line.points) // MOST_MARKS)
    for place, point in enumerate(line.points):
        if point.y is None:
            continue
        if point.interval is not None:
            low, high = (y(value) for value in point.interval)
            yield element("path", d=f"M{x(point.x):.1f} {low:.1f}V{high:.1f}", class_="whisker")
        if place % stride == 0 or place == len(line.points) - 1:
            yield mark(line.number, x(point.x), y(point.y))
