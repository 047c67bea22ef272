"""Axes of charts and plots: round tick values, and short texts for them."""

from __future__ import annotations

import math
from collections.abc import Sequence

PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
"""Decimal prefixes, greatest first."""
PREFIX_FROM = {"G": 1e9, "M": 1e6, "k": 1e4}
"""Greatest value of an axis at and above which its labels carry the prefix."""


def covering_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at least two round values at equal distances that cover `low` to `high`.

    The first is at or below `low` and the last at or above `high`; at most `most` steps fit between the two.
    """
    span = (high - low) or abs(high) or 1.0
    least = span / most
    step = next(step for step in _round_steps(least) if step >= least * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def inner_ticks(low: float, high: float, most: int, steps: Sequence[float] = ()) -> list[float]:
    """Return at least one and at most `most` round values from `low` to `high`.

    `steps`: distances to try first, in increasing order.
    """
    for step in (*steps, *_round_steps((high - low) / most)):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first + 1 <= most:
            return [number * step for number in range(first, last + 1)]
    return [low]


def axis_labels(values: Sequence[float]) -> list[str]:
    """Write the values of an axis, all with the prefix that suits the greatest: `0`, `5k`, `10k`."""
    greatest = max(map(abs, values))
    size, prefix = next(
        ((size, prefix) for size, prefix in PREFIXES if greatest >= PREFIX_FROM[prefix] * (1 - 1e-9)),
        (1.0, ""),
    )
    return [f"{round(value / size, 10):,.10g}{prefix if value else ''}" for value in values]


def short_number(value: float) -> str:
    """Write a number in few characters: `12.5k`, `850`, `0.25`."""
    for size, prefix in PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g}{prefix}"
    return f"{value:.3g}"


def _round_steps(least: float) -> list[float]:
    """1, 2 and 5 times powers of ten, from the power of ten at or below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return [factor * power for factor in (1, 2, 5, 10, 20)]
