"""One clock for all ranks: each device's own, tied to the host's before and after what is timed.

Every GPU counts with an oscillator of its own; two of them differ by up to some 100 ppm, so that clocks set
once are hundreds of microseconds apart after a few seconds. Two anchors give both offset and rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .clock import Clock, Mark

TRIES = 20
"""Anchors taken at a time, of which the tightest is kept: others were widened by whatever ran between."""


class Anchor(NamedTuple):
    """A mark of a device's clock, and the host's time of the same moment."""

    mark: Mark
    at: float
    """Seconds by the clock that all ranks share."""
    error: float
    """Seconds by which `at` may be off: half the bracket in which the mark was made."""


def take_anchor(clock: Clock, now: Callable[[], float]) -> Anchor:
    """Tie an idle device's clock to the host's; waits for the device until it is idle."""
    clock.synchronize()
    anchors = []
    for _ in range(TRIES):
        before = now()
        mark = clock.mark()
        clock.synchronize()
        after = now()
        anchors.append(Anchor(mark, (before + after) / 2, (after - before) / 2))
    tightest = min(anchors, key=lambda anchor: anchor.error)
    for anchor in anchors:
        if anchor is not tightest:
            clock.release(anchor.mark)
    return tightest


class AlignedClock:
    """The moments between two anchors, on the clock that all ranks share."""

    def __init__(self, clock: Clock, first: Anchor, last: Anchor) -> None:
        self._clock = clock
        self._first = first
        whole = clock.seconds(first.mark, last.mark)
        self._rate = (last.at - first.at) / whole if whole > 0 else 1.0
        self.error = max(first.error, last.error)
        """Seconds by which a moment may be off."""

    def at(self, mark: Mark) -> float:
        """Return the shared clock's time of a mark."""
        return self._first.at + self._rate * self._clock.seconds(self._first.mark, mark)
