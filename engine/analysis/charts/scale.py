"""From values to pixels, and the round values between which an axis is divided."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

UNITS = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"), (0.0, 1.0, ""))
"""From which greatest value on, how much, and its letter."""


class Scale(Struct, frozen=True, kw_only=True):
    """Maps values from `low` to `high` to pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        low, high, value = (
            math.log(each) if self.logarithmic else each for each in (self.low, self.high, value)
        )
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values at even distances with at most so many of these between `low` and `high`.

    The first is at or below `low` and the last at or above `high`; there are at least two.
    """
    span = (high - low) or abs(high) or 1.0
    least = span / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def numbered(values: Sequence[float]) -> list[str]:
    """The values of an axis in writing, all in the unit that suits the greatest: `0`, `5k`, `10k`."""
    greatest = max(map(abs, values))
    size, letter = next((size, letter) for least, size, letter in UNITS if greatest >= least * (1 - 1e-9))
    return [f"{round(value / size, 10):,.10g}{letter if value else ''}" for value in values]
