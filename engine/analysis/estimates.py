"""A figure with how sure it is."""

from __future__ import annotations

from msgspec import Struct

Interval = tuple[float, float]


class Estimate(Struct, frozen=True):
    """A value, its 95% interval, and from how many values it comes."""

    value: float
    interval: Interval | None
    """None of fewer than five values."""
    n: int

    def contains(self, value: float) -> bool:
        """Whether that value is within the interval; False where there is none."""
        return self.interval is not None and self.interval[0] <= value <= self.interval[1]
