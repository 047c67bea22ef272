"""The GPUs now: a strip of figures for each, as many as fit the width."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from textual.content import Content

from ....engine.host.facts import GpuSample
from ....engine.record.history import GpuHistory
from ....engine.record.series import Series
from ....engine.text.units import GIB
from ..drawing.bars import column_width, filled_bar, in_columns
from ..drawing.grid import StyledText
from ..drawing.sparkline import sparkline
from .load import fullness_style, heat_style, load_style
from .time_range import TimeRange

SHORTER = {
    "slowdown (hardware)": "slowdown",
    "thermal (software)": "thermal",
    "thermal (hardware)": "thermal",
    "reliability limit": "reliable",
    "power brake": "brake",
    "board limit": "board",
}
"""Short forms of throttle reasons for narrow strips; the panel's title has them in full."""


class GpuPast(NamedTuple):
    """History of the GPUs, and the stretch of time to show."""

    gpus: Mapping[int, GpuHistory]
    now: float
    """Seconds since the session started."""
    time: TimeRange


class StripSource(NamedTuple):
    """Newest sample of a GPU, with the history of all GPUs if it is known."""

    sample: GpuSample
    past: GpuPast | None

    def history(self, of: Callable[[GpuHistory], Series], top: float, width: int) -> str | None:
        """Return a sparkline of `width` cells that is full at `top`; None without history."""
        if self.past is None or self.sample.index not in self.past.gpus:
            return None
        series = of(self.past.gpus[self.sample.index])
        return sparkline(series, top, self.past.now, self.past.time, width)


class StripColumn(NamedTuple):
    """One figure of a strip; width 0 takes the cells left by the others."""

    width: int
    show: Callable[[StripSource, int], StyledText]


def gpu_strips(samples: Sequence[GpuSample], width: int, height: int, past: GpuPast | None = None) -> Content:
    """Return a strip per GPU within `width` cells, several side by side if `height` lines are too few."""
    if not samples:
        return Content("no GPUs")
    abreast = _abreast(len(samples), width, height)
    cells = column_width(width, abreast)
    strips = [_strip(StripSource(sample, past), cells) for sample in samples]
    return in_columns(strips, abreast)


def throttled_gpus(samples: Sequence[GpuSample]) -> str:
    """Return the throttled GPUs by reason: `1, 3 power cap; 2 thermal (hardware)`; empty if none is."""
    by_reason: dict[tuple[str, ...], list[str]] = {}
    for sample in samples:
        if sample.throttle:
            by_reason.setdefault(sample.throttle, []).append(str(sample.index))
    return "; ".join(f"{', '.join(which)} {', '.join(why)}" for why, which in by_reason.items())


def _abreast(count: int, width: int, height: int) -> int:
    """Return the number of strips per line: as few as fit the height, no more than the width allows."""
    narrowest = STRIP_LAYOUTS[-1][0]
    for abreast in (1, 2, 4):
        if column_width(width, abreast) < narrowest:
            return max(1, abreast // 2)
        if -(-count // abreast) <= height:
            return abreast
    return 4


def _strip(strip: StripSource, width: int) -> Content:
    index = f"{strip.sample.index:>2} "
    if strip.sample.lost:
        text = "lost: no longer answers" if width >= 26 else "lost"
        return Content.assemble(index, (_fit(text, width - 3), "$text-error"))
    columns = next((columns for least, columns in STRIP_LAYOUTS if width >= least), STRIP_LAYOUTS[-1][1])
    rest = width - 3 - sum(column.width for column in columns) - (len(columns) - 1)
    return Content(index) + Content(" ").join(list(_cells(strip, columns, max(0, rest))))


def _cells(strip: StripSource, columns: Sequence[StripColumn], rest: int) -> Iterator[Content]:
    for column in columns:
        size = column.width or rest
        text, style = column.show(strip, size)
        yield Content.styled(_fit(text, size), style)


def _fit(text: str, width: int) -> str:
    return text[:width].ljust(width)


def _bar(strip: StripSource, width: int) -> StyledText:
    share = (strip.sample.utilization or 0.0) / 100
    return filled_bar(share, width), load_style(share)


def _utilization(strip: StripSource, width: int) -> StyledText:
    return _figure(strip.sample.utilization, "%", width)


def _utilization_history(strip: StripSource, width: int) -> StyledText:
    curve = strip.history(lambda gpu: gpu.utilization, 100.0, width)
    return (
        _bar(strip, width) if curve is None else (curve, load_style((strip.sample.utilization or 0.0) / 100))
    )


def _power_history(strip: StripSource, width: int) -> StyledText:
    limit = strip.sample.power_limit_watts
    curve = strip.history(lambda gpu: gpu.power, limit, width) if limit else None
    return curve or "", "$accent"


def _memory(strip: StripSource, width: int) -> StyledText:
    used, total = strip.sample.memory_used_bytes, strip.sample.memory_total_bytes
    text, style = _figure(None if used is None else used / GIB, "G" if width < 7 else " GiB", width)
    return text, fullness_style(used / total if used is not None and total else None) or style


def _memory_of(strip: StripSource, width: int) -> StyledText:
    used, total = strip.sample.memory_used_bytes, strip.sample.memory_total_bytes
    if used is None or total is None:
        return _memory(strip, width)
    style = fullness_style(used / total if total else None)
    return f"{used / GIB:.0f}/{total / GIB:.0f} GiB".rjust(width), style


def _temperature(strip: StripSource, width: int) -> StyledText:
    text, style = _figure(strip.sample.temperature, "°C", width)
    return text, heat_style(strip.sample.temperature) or style


def _power(strip: StripSource, width: int) -> StyledText:
    return _figure(strip.sample.power_watts, " W", width)


def _power_mark(strip: StripSource, width: int) -> StyledText:
    """Return the power, with a mark if the GPU is throttled."""
    throttled = bool(strip.sample.throttle)
    text, style = _figure(strip.sample.power_watts, "W", width - 1)
    return text + ("!" if throttled else ""), "$text-warning" if throttled else style


def _power_of(strip: StripSource, width: int) -> StyledText:
    return _of(strip.sample.power_watts, strip.sample.power_limit_watts, " W", width)


def _clock_of(strip: StripSource, width: int) -> StyledText:
    return _of(strip.sample.sm_clock_mhz, strip.sample.sm_clock_max_mhz, " MHz", width)


def _throttle(strip: StripSource, width: int) -> StyledText:
    reasons = strip.sample.throttle
    if reasons is None:
        return "throttle n/a" if width >= 12 else "", "$muted"
    if not reasons:
        return "", ""
    first, more = reasons[0], f" +{len(reasons) - 1}" if len(reasons) > 1 else ""
    shorter = SHORTER.get(first, first)
    texts = (", ".join(reasons), first + more, shorter + more, shorter)
    return next((text for text in texts if len(text) <= width), shorter[:width]), "$text-warning"


def _of(value: float | None, limit: float | None, unit: str, width: int) -> StyledText:
    if value is None or limit is None:
        return _figure(value, unit, width)
    return f"{value:.0f}/{limit:.0f}{unit}".rjust(width), ""


def _figure(value: float | None, unit: str, width: int) -> StyledText:
    if value is None:
        return "n/a".rjust(width), "$muted"
    return f"{value:.0f}{unit}".rjust(width), ""


REST = 0
UTILIZATION, MEMORY, MEMORY_OF = (
    StripColumn(4, _utilization),
    StripColumn(7, _memory),
    StripColumn(11, _memory_of),
)
TEMPERATURE, POWER_OF, CLOCK_OF = (
    StripColumn(5, _temperature),
    StripColumn(9, _power_of),
    StripColumn(13, _clock_of),
)
THROTTLE = StripColumn(REST, _throttle)
STRIP_LAYOUTS: tuple[tuple[int, tuple[StripColumn, ...]], ...] = (
    (
        150,
        (
            StripColumn(40, _utilization_history),
            UTILIZATION,
            MEMORY_OF,
            TEMPERATURE,
            StripColumn(24, _power_history),
            POWER_OF,
            CLOCK_OF,
            THROTTLE,
        ),
    ),
    (
        104,
        (
            StripColumn(24, _utilization_history),
            UTILIZATION,
            MEMORY_OF,
            TEMPERATURE,
            POWER_OF,
            CLOCK_OF,
            THROTTLE,
        ),
    ),
    (70, (StripColumn(6, _bar), UTILIZATION, MEMORY_OF, TEMPERATURE, POWER_OF, CLOCK_OF, THROTTLE)),
    (52, (StripColumn(5, _bar), UTILIZATION, MEMORY_OF, TEMPERATURE, POWER_OF, THROTTLE)),
    (33, (UTILIZATION, MEMORY, TEMPERATURE, StripColumn(6, _power), THROTTLE)),
    (17, (UTILIZATION, StripColumn(4, _memory), StripColumn(5, _power_mark))),
)
"""Least width of a strip in cells, and the figures shown from that width on."""
