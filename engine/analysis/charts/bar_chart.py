"""Horizontal bars in rows, for one or more quantities side by side, with 95% intervals and ideals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from ...statistics import Interval
from ...text.axes import axis_labels, covering_ticks
from .scale import Scale
from .style import SMALL, TEXT
from .svg import Drawing, element, group, label, room_for, shorten, width_of

ROW, BAR, CAP, MARK = 26.0, 14.0, 3.0, 10.0
"""Heights in pixels of a row, its bar, half a whisker's cap and half the mark of the ideal."""
HEADER, FOOT = 26.0, 20.0
GAP = 12.0
BETWEEN = 28.0
TICK_ROOM = 54.0


class Bar(Struct, frozen=True, kw_only=True):
    """One value of a row."""

    value: float
    text: str
    """The value as printed."""
    beside: str = ""
    """A secondary value, printed behind the first."""
    interval: Interval | None = None
    ideal: float | None = None
    is_baseline: bool = False


class BarRow(Struct, frozen=True, kw_only=True):
    """One row of the chart."""

    name: str
    bars: tuple[Bar | str, ...] = ()
    """A bar, or text in its place, for each panel; fewer if the last text needs the remaining width."""
    about: str = ""
    """Tooltip with everything known of the row."""


class BarPanel(Struct, frozen=True, kw_only=True):
    """One quantity, drawn as a column of bars."""

    title: str
    beside: str = ""
    """Heading of the secondary values."""
    unit: str = ""
    """Unit of the axis labels."""


class _Place(Struct, frozen=True, kw_only=True):
    """Horizontal position of a panel."""

    panel: BarPanel
    scale: Scale
    text: float
    """Right end of the values."""
    beside: float
    """Right end of the secondary values, and of the panel."""


def bar_chart(panels: Sequence[BarPanel], rows: Sequence[BarRow], width: float) -> Drawing:
    """Draw the chart at a width in pixels; names that are too long are cut."""
    names = room_for(row.name for row in rows)
    places = _places(panels, rows, names + GAP, width)
    bottom = HEADER + len(rows) * ROW
    drawn = [each for place in places for each in _frame(place, bottom)]
    for number, row in enumerate(rows):
        drawn.append(group(list(_row(row, places, names, width)), y=HEADER + number * ROW, title=row.about))
    return Drawing(bottom + FOOT, tuple(drawn))


def _places(panels: Sequence[BarPanel], rows: Sequence[BarRow], left: float, width: float) -> list[_Place]:
    each = (width - left - BETWEEN * (len(panels) - 1)) / len(panels)
    places = []
    for number, panel in enumerate(panels):
        bars = [row.bars[number] for row in rows if len(row.bars) > number]
        found = [bar for bar in bars if isinstance(bar, Bar)]
        start = left + number * (each + BETWEEN)
        text = max((width_of(bar.text, TEXT) for bar in found), default=0.0)
        beside = max([width_of(panel.beside, SMALL), *(width_of(bar.beside, TEXT) for bar in found)])
        behind = beside + GAP if beside else 0.0
        high = max((_reach(bar) for bar in found), default=1.0)
        end = start + each - behind - text - GAP
        scale = Scale(low=0.0, high=high, start=start, end=end)
        places.append(_Place(panel=panel, scale=scale, text=start + each - behind, beside=start + each))
    return places


def _reach(bar: Bar) -> float:
    return max(bar.value, bar.ideal or 0.0, *(bar.interval or ()))


def _frame(place: _Place, bottom: float) -> Iterator[str]:
    """Draw titles and grid."""
    scale, panel = place.scale, place.panel
    yield label(scale.start, 12, panel.title, "small muted")
    if panel.beside:
        yield label(place.beside, 12, panel.beside, "small muted", "end")
    marked = covering_ticks(0.0, scale.high, max(2, int((scale.end - scale.start) / TICK_ROOM)))
    for tick, text in zip(marked, axis_labels(marked), strict=True):
        if tick <= scale.high * (1 + 1e-9):
            x, kind = scale(tick), "grid" if tick else "axis"
            yield element("line", x1=x, y1=HEADER - 4, x2=x, y2=bottom, class_=kind)
            yield label(x, bottom + 14, text + panel.unit, "small muted", "middle")


def _row(row: BarRow, places: Sequence[_Place], names: float, width: float) -> Iterator[str]:
    middle = ROW / 2
    baseline = middle + 0.35 * TEXT
    yield label(0, baseline, shorten(row.name, TEXT, names), "ink")
    for number, (bar, place) in enumerate(zip(row.bars, places, strict=False)):
        if isinstance(bar, str):
            room = (width if number == len(row.bars) - 1 else place.beside) - place.scale.start
            yield label(place.scale.start + 6, baseline, shorten(bar, TEXT, room - 6), "muted over")
        else:
            yield from _bar(bar, place, middle)
            yield label(place.text, baseline, bar.text, "ink strong", "end")
            if bar.beside:
                yield label(place.beside, baseline, bar.beside, "muted", "end")


def _bar(bar: Bar, place: _Place, middle: float) -> Iterator[str]:
    scale, top = place.scale, middle - BAR / 2
    if bar.ideal is not None:
        yield _rectangle(scale, bar.ideal, top, "track")
    yield _rectangle(scale, bar.value, top, "base" if bar.is_baseline else "bar")
    if bar.ideal is not None:
        x = scale(bar.ideal)
        yield element("line", x1=x, y1=middle - MARK, x2=x, y2=middle + MARK, class_="ideal")
    if bar.interval is not None:
        yield whisker(scale(bar.interval[0]), scale(bar.interval[1]), middle)


def _rectangle(scale: Scale, value: float, top: float, kind: str) -> str:
    return element("rect", x=scale.start, y=top, width=scale(value) - scale.start, height=BAR, class_=kind)


def whisker(low: float, high: float, y: float) -> str:
    """Draw an interval from one x to another."""
    ends = f"M{low:.1f} {y - CAP:.1f}V{y + CAP:.1f}M{high:.1f} {y - CAP:.1f}V{y + CAP:.1f}"
    return element("path", d=f"M{low:.1f} {y:.1f}H{high:.1f}{ends}", class_="whisker")
