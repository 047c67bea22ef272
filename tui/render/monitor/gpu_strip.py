"""The GPUs now: a strip of figures for each, as many as fit the width."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from textual.content import Content

from ....engine.host.facts import GpuSample
from ....engine.record.history import GpuHistory
from ....engine.record.series import Series
from ....engine.text.grouping import index_ranges
from ..drawing.bars import column_width, in_columns, lines_abreast
from ..drawing.grid import StyledText
from ..drawing.sparkline import sparkline
from . import gpu_figures as figures
from .time_range import TimeRange


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
    abreast = lines_abreast(len(samples), width, height, STRIP_LAYOUTS[-1][0])
    cells = column_width(width, abreast)
    strips = [_strip(StripSource(sample, past), cells) for sample in samples]
    return in_columns(strips, abreast)


def throttled_gpus(samples: Sequence[GpuSample]) -> str:
    """Return the throttled GPUs by reason: `GPU 1-3 power cap; GPU 5 thermal (hardware)`; else empty."""
    by_reason: dict[tuple[str, ...], list[int]] = {}
    for sample in samples:
        if sample.throttle:
            by_reason.setdefault(sample.throttle, []).append(sample.index)
    return "; ".join(f"GPU {index_ranges(which)} {', '.join(why)}" for why, which in by_reason.items())


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


def _of_sample(show: Callable[[GpuSample, int], StyledText]) -> Callable[[StripSource, int], StyledText]:
    return lambda strip, width: show(strip.sample, width)


def _utilization_history(strip: StripSource, width: int) -> StyledText:
    curve = strip.history(lambda gpu: gpu.utilization, 100.0, width)
    bar, style = figures.utilization_bar(strip.sample, width)
    return bar if curve is None else curve, style


def _power_history(strip: StripSource, width: int) -> StyledText:
    limit = strip.sample.power_limit_watts
    curve = strip.history(lambda gpu: gpu.power, limit, width) if limit else None
    return curve or "", "$accent"


def _power_mark(strip: StripSource, width: int) -> StyledText:
    """Return the power, with a mark if the GPU is throttled."""
    throttled = bool(strip.sample.throttle)
    text, style = figures.power(strip.sample, width - 1)
    return text + ("!" if throttled else ""), "$text-warning" if throttled else style


def _throttle(strip: StripSource, width: int) -> StyledText:
    reasons = strip.sample.throttle
    if reasons is None:
        return "throttle n/a" if width >= 12 else "", "$muted"
    if not reasons:
        return "", ""
    first, more = reasons[0], f" +{len(reasons) - 1}" if len(reasons) > 1 else ""
    shorter = figures.SHORTER.get(first, first)
    texts = (", ".join(reasons), first + more, shorter + more, shorter)
    return next((text for text in texts if len(text) <= width), shorter[:width]), "$text-warning"


REST = 0
MEMORY, POWER = _of_sample(figures.memory), _of_sample(figures.power)
BAR = _of_sample(figures.utilization_bar)
UTILIZATION = StripColumn(4, _of_sample(figures.utilization))
TEMPERATURE = StripColumn(5, _of_sample(figures.temperature))
MEMORY_OF, POWER_OF = StripColumn(11, MEMORY), StripColumn(9, POWER)
CLOCK_OF = StripColumn(13, _of_sample(figures.sm_clock))
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
    (70, (StripColumn(6, BAR), UTILIZATION, MEMORY_OF, TEMPERATURE, POWER_OF, CLOCK_OF, THROTTLE)),
    (52, (StripColumn(5, BAR), UTILIZATION, MEMORY_OF, TEMPERATURE, POWER_OF, THROTTLE)),
    (33, (UTILIZATION, StripColumn(7, MEMORY), TEMPERATURE, StripColumn(6, POWER), THROTTLE)),
    (17, (UTILIZATION, StripColumn(4, MEMORY), StripColumn(5, _power_mark))),
)
"""Least width of a strip in cells, and the figures shown from that width on."""
