"""The mapping from values to pixels."""

from __future__ import annotations

import math

from msgspec import Struct


class Scale(Struct, frozen=True, kw_only=True):
    """Map from values between `low` and `high` to pixels between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the position of a value, in pixels."""
        low, high, value = (
            math.log(each) if self.logarithmic else each for each in (self.low, self.high, value)
        )
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)
