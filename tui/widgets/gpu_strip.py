"""The GPUs at this moment, one strip each, as wide as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual.content import Content

from ...engine.host.facts import GpuSample

HOT_CELSIUS = 85.0
GIB = 1 << 30

Cell = tuple[str, str]
"""Text and style."""


class Column(NamedTuple):
    """One figure of a strip; width 0 takes what the others leave."""

    width: int
    show: Callable[[GpuSample, int], Cell]


def gpu_strips(samples: Sequence[GpuSample], width: int, height: int) -> Content:
    """A strip for each GPU within `width` cells; several side by side where `height` lines are too few."""
    if not samples:
        return Content("no GPUs here")
    abreast = _abreast(len(samples), width, height)
    cell = (width - 2 * (abreast - 1)) // abreast
    strips = [_strip(sample, cell) for sample in samples]
    rows = -(-len(strips) // abreast)
    # Down the columns, so that neighbours stay neighbours.
    return Content("\n").join([Content("  ").join(strips[row::rows]) for row in range(rows)])


def _abreast(count: int, width: int, height: int) -> int:
    """How many strips to a line: as few as fit the height, no more than the width allows."""
    narrowest = LAYOUTS[-1][0]
    for abreast in (1, 2, 4):
        if (width - 2 * (abreast - 1)) // abreast < narrowest:
            return max(1, abreast // 2)
        if -(-count // abreast) <= height:
            return abreast
    return 4


def _strip(sample: GpuSample, width: int) -> Content:
    index = f"{sample.index:>2} "
    if sample.lost:
        text = "lost: no longer answers" if width >= 26 else "lost"
        return Content.assemble(index, (_fit(text, width - 3), "$text-error"))
    columns = next((columns for least, columns in LAYOUTS if width >= least), LAYOUTS[-1][1])
    flexible = width - 3 - sum(column.width for column in columns) - (len(columns) - 1)
    parts: list[Content] = []
    for column in columns:
        size = column.width or max(0, flexible)
        text, style = column.show(sample, size)
        parts.append(Content.styled(_fit(text, size), style))
    return Content(index) + Content(" ").join(parts)


def _fit(text: str, width: int) -> str:
    return text[:width].ljust(width)


def _bar(sample: GpuSample, width: int) -> Cell:
    share = (sample.utilization or 0.0) / 100
    return bar(share, width), "$primary"


def bar(share: float, width: int) -> str:
    """A bar of `width` cells, filled from the left."""
    filled = round(min(1.0, max(0.0, share)) * width)
    return "█" * filled + "·" * (width - filled)


def _utilization(sample: GpuSample, width: int) -> Cell:
    return _figure(sample.utilization, "%", width)


def _memory(sample: GpuSample, width: int) -> Cell:
    used = sample.memory_used_bytes
    return _figure(None if used is None else used / GIB, " GiB", width)


def _memory_of(sample: GpuSample, width: int) -> Cell:
    used, total = sample.memory_used_bytes, sample.memory_total_bytes
    if used is None or total is None:
        return _memory(sample, width)
    style = "$text-warning" if used > 0.9 * total else ""
    return f"{used / GIB:.0f}/{total / GIB:.0f} GiB".rjust(width), style


def _temperature(sample: GpuSample, width: int) -> Cell:
    text, style = _figure(sample.temperature, "°C", width)
    hot = sample.temperature is not None and sample.temperature >= HOT_CELSIUS
    return text, "$text-warning" if hot else style


def _power(sample: GpuSample, width: int) -> Cell:
    return _figure(sample.power_watts, " W", width)


def _power_of(sample: GpuSample, width: int) -> Cell:
    return _of(sample.power_watts, sample.power_limit_watts, " W", width)


def _clock_of(sample: GpuSample, width: int) -> Cell:
    return _of(sample.sm_clock_mhz, sample.sm_clock_max_mhz, " MHz", width)


def _throttle(sample: GpuSample, width: int) -> Cell:
    if sample.throttle is None:
        return "throttle n/a" if width >= 12 else "", "$muted"
    text = ", ".join(sample.throttle)
    if len(text) > width and len(sample.throttle) > 1:
        text = f"{sample.throttle[0]} +{len(sample.throttle) - 1}"
    return text if len(text) <= width else text[: max(0, width - 1)] + "…", "$text-warning"


def _mark(sample: GpuSample, _width: int) -> Cell:
    return ("!" if sample.throttle else ""), "$text-warning"


def _of(value: float | None, limit: float | None, unit: str, width: int) -> Cell:
    if value is None or limit is None:
        return _figure(value, unit, width)
    return f"{value:.0f}/{limit:.0f}{unit}".rjust(width), ""


def _figure(value: float | None, unit: str, width: int) -> Cell:
    if value is None:
        return "n/a".rjust(width), "$muted"
    return f"{value:.0f}{unit}".rjust(width), ""


REST = 0
LAYOUTS: tuple[tuple[int, tuple[Column, ...]], ...] = (
    (
        104,
        (
            Column(24, _bar),
            Column(4, _utilization),
            Column(11, _memory_of),
            Column(5, _temperature),
            Column(10, _power_of),
            Column(13, _clock_of),
            Column(REST, _throttle),
        ),
    ),
    (
        70,
        (
            Column(6, _bar),
            Column(4, _utilization),
            Column(11, _memory_of),
            Column(5, _temperature),
            Column(9, _power_of),
            Column(13, _clock_of),
            Column(REST, _throttle),
        ),
    ),
    (
        52,
        (
            Column(5, _bar),
            Column(4, _utilization),
            Column(11, _memory_of),
            Column(5, _temperature),
            Column(9, _power_of),
            Column(REST, _throttle),
        ),
    ),
    (
        33,
        (
            Column(4, _utilization),
            Column(7, _memory),
            Column(5, _temperature),
            Column(6, _power),
            Column(REST, _throttle),
        ),
    ),
    (17, (Column(4, _utilization), Column(7, _memory), Column(1, _mark))),
)
"""From which width on, which figures."""
