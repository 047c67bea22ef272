"""The pace of a run on a machine, as the last session that measured it has shown."""

from __future__ import annotations

from msgspec import Struct

from .preset.preset import Measure

WARM_UP_SHARE = 0.5
"""Share of `measure.seconds` after which warm-up ends, settled or not; the first steps do not count."""
MOST_DETAIL_SECONDS = 20.0
"""Limit of the steps of the detail phase that are divided into parts; a single step may exceed it."""
MOST_TURNS_SECONDS = 20.0
"""Limit of its steps with and without synchronisation, for which long steps are fewer."""


class Pace(Struct, frozen=True, kw_only=True):
    """Durations of the parts of a run, in s."""

    start: float
    """From its launch until it trains."""
    warm_up: float
    step: float
    epoch: float | None = None
    """An epoch with its evaluation; None where the run was not measured by epochs."""
    detail: float
    """Detail phase until its processes have ended."""

    def windows(self, measure: Measure) -> tuple[float, float] | None:
        """Return the least and the most seconds of the windows; None for epochs of unknown duration."""
        if measure.epochs:
            return None if self.epoch is None else (measure.epochs * self.epoch,) * 2
        return window_seconds(measure, self.step)


def window_seconds(measure: Measure, step: float = 0.0) -> tuple[float, float]:
    """Return the least and the most seconds of windows by time, each of which holds a step at least."""
    least = measure.windows * max(measure.window_seconds, step)
    most = max(least, measure.seconds + step)
    return (least if measure.target else most), most
