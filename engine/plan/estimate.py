"""Estimate of a plan's duration, made before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ..text.units import rough_duration
from .plan import Plan, RunSpec

FIRST_START_SECONDS = 5.0
"""Import of torch, once, in the fork server."""
START_SECONDS = {"cpu": 1.0, "cuda": 6.0}
"""From launch to the first step of a run, mostly for CUDA contexts and the tuning of cuDNN."""
WARMUP_SECONDS = 1.5
DETAIL_SECONDS = 2.5
"""Detail phase after the windows."""
COMMUNICATION_SECONDS = 4.0
"""Measurement of gradient synchronisation and of the links, in the detail phase."""


class TimeEstimate(Struct, frozen=True):
    """Least and most seconds that a plan takes; None where it trains by epochs, of unknown speed.

    Where only a part trains by epochs, the least is that of the rest.
    """

    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None:
            return "duration known after the first epoch"
        if self.high is None:
            return f"{rough_duration(self.low)} (estimate) and what is known after the first epoch"
        if self.high == 0:
            return "nothing to run"
        low, high = rough_duration(self.low), rough_duration(self.high)
        return f"about {high} (estimate)" if low == high else f"{low} to {high} (estimate)"


def estimate(plan: Plan) -> TimeEstimate:
    """Estimate the runs that are not skipped."""
    runs = plan.to_run
    if not runs:
        return TimeEstimate(0.0, 0.0)
    if any(spec.measure.epochs for spec in runs):
        return TimeEstimate(None, None)
    low = FIRST_START_SECONDS + sum(_overhead(spec) + _least(spec) for spec in runs)
    high = FIRST_START_SECONDS + sum(_overhead(spec) + _most(spec) for spec in runs)
    return TimeEstimate(low, high)


def total(estimates: Iterable[TimeEstimate]) -> TimeEstimate:
    """Add up the estimates of plans that run one after the other."""
    every = list(estimates)
    known = [one.low for one in every if one.low is not None]
    open_ended = any(one.high is None for one in every)
    return TimeEstimate(
        sum(known) if known or not every else None,
        None if open_ended else sum(one.high for one in every if one.high is not None),
    )


def _overhead(spec: RunSpec) -> float:
    seconds = START_SECONDS[spec.devices[0].kind] + WARMUP_SECONDS
    if spec.measure.detail:
        seconds += DETAIL_SECONDS
        if spec.mode in ("ddp", "fsdp") and spec.world_size > 1:
            seconds += COMMUNICATION_SECONDS
    return seconds


def _least(spec: RunSpec) -> float:
    """Return the least seconds of windows: with a target the fewest windows, else the time limit."""
    measure = spec.measure
    least = measure.windows * measure.window_seconds
    return least if measure.target else max(least, measure.seconds)


def _most(spec: RunSpec) -> float:
    return max(spec.measure.windows * spec.measure.window_seconds, spec.measure.seconds)
