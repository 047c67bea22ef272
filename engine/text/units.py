"""Numbers with units as text; the only place that formats them. None is written `n/a`, never zero."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

NOT_AVAILABLE = "n/a"
GIB = 1 << 30
SAMPLES = "samples"
"""Unit of throughputs of any kind."""


def number(value: float | None) -> str:
    """Write three significant digits, at most three decimals, whole from 100 on: `12,345`, `12.3`,
    `0.012`."""
    if value is None:
        return NOT_AVAILABLE
    size = abs(value)
    if size >= 99.95 or value == 0:
        return f"{value:,.0f}"
    decimals = 1 if size >= 9.995 else 2 if size >= 0.9995 else 3
    return f"{value:.{decimals}f}" if size >= 0.0005 else f"{value:.2g}"


def count(amount: int, noun: str) -> str:
    """Write a count with its noun: `1 run`, `3 runs`."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def with_spread(value: float | None, spread: float | None) -> str:
    """Write a value and its spread with equal decimals: `1,234 ±12`, `12.30 ±0.41`."""
    if value is None or spread is None:
        return number(value)
    decimals = min(2, max(0, 1 - math.floor(math.log10(spread)))) if spread > 0 else 0
    if spread == 0:
        return f"{number(value)} ±0"
    return f"{value:,.{decimals}f} ±{spread:,.{decimals}f}"


def rate(per_second: float | None, unit: str = SAMPLES) -> str:
    """Write a throughput: `1,234 images/s`; its unit is in the plural."""
    return _with_unit(number(per_second), f"{unit}/s")


def common_unit(units: Iterable[str]) -> str:
    """Return the unit that all of these are, empty ones left out; `samples` where they differ."""
    known = set(filter(None, units))
    return known.pop() if len(known) == 1 else SAMPLES


def in_unit(text: str, unit: str) -> str:
    """Return a text about samples as one about another unit: `tokens/s`, `J per token`."""
    words = {"Samples": unit.capitalize(), "samples": unit, "sample": unit.removesuffix("s")}
    for word, other in words.items():
        text = text.replace(word, other)
    return text


def loss_unit(unit: str) -> str:
    """Return the unit of a training's loss by that of its throughput; empty where the loss has none."""
    return "nats per token" if unit == "tokens" else ""


def duration(seconds: float | None) -> str:
    """Write a time in a suitable unit: `850 µs`, `12.3 ms`, `1.50 s`, `12 min 30 s`, `2 h 05 min`."""
    if seconds is None:
        return NOT_AVAILABLE
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{number(seconds * 1e3)} ms"
    if seconds < 99.5:
        return f"{number(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def rough_duration(seconds: float) -> str:
    """Write an estimated time, in steps of 5 s below 90 s: `45 s`, `12 min`."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / 60)} min"


def milliseconds(seconds: float | None) -> str:
    """Write a time in ms without the unit, for columns whose title names it."""
    return number(None if seconds is None else seconds * 1e3)


def clock(seconds: float | None) -> str:
    """Write elapsed or remaining time as a clock does: `0:42`, `1:02:03`."""
    if seconds is None:
        return NOT_AVAILABLE
    if seconds <= -1:  # before the session, in one that it resumes
        return f"-{clock(-seconds)}"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def ratio(value: float | None) -> str:
    """Write a speedup or gain: `1.87x`."""
    return NOT_AVAILABLE if value is None else f"{value:.2f}x"


def percent(fraction: float | None) -> str:
    """Write a share of 1 in percent: `93%`, `7.5%`."""
    if fraction is None:
        return NOT_AVAILABLE
    value = fraction * 100
    return f"{value:.0f}%" if value >= 99.95 or value == 0 else f"{value:z.1f}%"


def whole_percent(fraction: float) -> str:
    """Write a share of 1 in whole percent, for sentences: `96%`."""
    return f"{fraction:.0%}"


def interval(bounds: tuple[float, float] | None, written: Callable[[float], str] = number) -> str:
    """Write both ends of an interval: `0.95x to 1.05x`; empty without an interval."""
    return "" if bounds is None else f"{written(bounds[0])} to {written(bounds[1])}"


def date_time(unix_time: float, zone: bool = False) -> str:
    """Write a moment in local time: `2025-03-01 14:05`, with the time zone if asked for."""
    try:
        return time.strftime(f"%Y-%m-%d %H:%M{' %Z' if zone else ''}", time.localtime(unix_time))
    except (OverflowError, ValueError, OSError):  # no such year
        return "unknown date"


def gib(size_bytes: float | None) -> str:
    """Write an amount of memory: `1.50 GiB`."""
    return _with_unit(gib_number(size_bytes), "GiB")


def gib_number(size_bytes: float | None) -> str:
    """Write an amount of memory in GiB without the unit, for columns whose title names it."""
    return number(None if size_bytes is None else size_bytes / GIB)


def _with_unit(text: str, unit: str) -> str:
    return text if text == NOT_AVAILABLE else f"{text} {unit}"
