"""Stretches of time that plots show: the axis stays still while a curve grows, then moves on in steps."""

from __future__ import annotations

import math
from typing import NamedTuple

CLOCK_STEPS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
"""Round intervals on a clock, in seconds."""
CELL_STEPS = (
    0.5,
    1,
    1.5,
    2,
    3,
    4,
    5,
    7.5,
    10,
    15,
    20,
    30,
    45,
    60,
    90,
    120,
    180,
    300,
    450,
    600,
    900,
    1800,
    3600,
)
"""Stretches of time that a cell of a line stands for, in seconds."""
AXIS_SPANS = (10, 20, 30, 60, 90, 120, 180, 300, 450, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200, 10800)
"""Lengths of an axis that shows everything, in seconds; then whole hours."""


class TimeRange(NamedTuple):
    """A stretch of time that the user can choose."""

    words: str
    seconds: float | None
    """Length in s; None for everything."""

    def stretch(self, began: float, now: float) -> tuple[float, float]:
        """Return start and end of an axis for a curve that began at `began` and has reached `now`."""
        gone = max(0.0, now - began)
        if self.seconds is None or gone <= self.seconds / 2:
            span = next((span for span in AXIS_SPANS if span >= gone), None) or math.ceil(gone / 3600) * 3600
            return began, began + min(span, self.seconds or span)
        step = self.seconds / 6
        end = began + max(self.seconds, math.ceil(gone / step) * step)
        return end - self.seconds, end

    def recent(self, now: float, cells: int) -> tuple[float, float]:
        """Return start and end of a line of `cells` cells of which the last holds `now`."""
        step = (self.seconds or now) / cells
        step = next((longer for longer in CELL_STEPS if longer >= step), step)
        end = math.ceil(now / step) * step
        return end - cells * step, end


TIME_RANGES = (TimeRange("", None), TimeRange("last 10 min", 600.0), TimeRange("last 1 min", 60.0))
"""The stretches of time, from the longest to the shortest."""


def round_up(value: float) -> float:
    """Return the next number of the form d or d.5 times a power of ten from `value` up."""
    if value <= 0:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(value)) / 2
    return math.ceil(value / scale) * scale
