"""Which stretch of time plots show: an axis that stands still while the curves grow, and then steps on."""

from __future__ import annotations

import math
from typing import NamedTuple

CLOCK_STEPS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
"""Round distances on a clock, seconds."""
SPANS = (10, 20, 30, 60, 90, 120, 180, 300, 450, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200, 10800)


class TimeRange(NamedTuple):
    """A choice of the user's."""

    words: str
    seconds: float | None
    """None for all there is."""

    def stretch(self, began: float, now: float) -> tuple[float, float]:
        """From when to when an axis goes that shows what began at `began` and has come to `now`."""
        gone = max(0.0, now - began)
        if self.seconds is None or gone <= self.seconds / 2:
            span = next((span for span in SPANS if span >= gone), None) or math.ceil(gone / 3600) * 3600
            return began, began + min(span, self.seconds or span)
        step = self.seconds / 6
        end = began + max(self.seconds, math.ceil(gone / step) * step)
        return end - self.seconds, end

    def recent(self, now: float, cells: int) -> tuple[float, float]:
        """From when to when so many cells go of which the last holds `now`."""
        step = (self.seconds or now) / cells
        step = next((longer for longer in CLOCK_STEPS if longer >= step), step)
        end = math.ceil(now / step) * step
        return end - cells * step, end


TIME_RANGES = (TimeRange("", None), TimeRange("last 10 min", 600.0), TimeRange("last 1 min", 60.0))
"""From the longest to the shortest."""


def round_up(value: float) -> float:
    """The next number with one digit, or half of one, from `value` up: for axes that count."""
    if value <= 0:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(value)) / 2
    return math.ceil(value / scale) * scale
