"""Estimate of a plan's duration, made before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ..text.units import rough_duration
from .pace import MOST_DETAIL_SECONDS, MOST_TURNS_SECONDS, WARM_UP_SHARE, Pace, window_seconds
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
    """Least and most seconds that a plan takes.

    The least is None where only epochs of unknown duration are trained. The most is None where anything is
    unknown; the least is then that of the rest, with steps that take no time.
    """

    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None:
            return "duration known after the first epoch"
        if self.high is None:
            return f"at least {rough_duration(self.low)} (estimate)"
        if self.high == 0:
            return "nothing to run"
        low, high = rough_duration(self.low), rough_duration(self.high)
        return f"about {high} (estimate)" if low == high else f"{low} to {high} (estimate)"


def estimate(plan: Plan) -> TimeEstimate:
    """Estimate the runs that are not skipped.

    A run that was measured on this machine before takes as long as then. Of others a step on a GPU is taken
    for short; on a CPU it may take seconds, so that each part of the run may take all the time it is allowed.
    A tune goes on to its limit at most; without one nobody knows.
    """
    runs = plan.to_run
    if not runs:
        return TimeEstimate(0.0, 0.0)
    start = TimeEstimate(FIRST_START_SECONDS, FIRST_START_SECONDS)
    planned = total((_of_run(spec, plan.paces.get(spec.id)) for spec in runs), start)
    if plan.tune is None:
        return planned
    limit = None if plan.tune.minutes is None else 60 * plan.tune.minutes
    return TimeEstimate(planned.low, None if limit is None else max(limit, planned.low or 0.0))


def total(estimates: Iterable[TimeEstimate], more: TimeEstimate | None = None) -> TimeEstimate:
    """Add up the estimates of runs or plans that follow each other, and what they take `more` together."""
    every = list(estimates)
    known = [one.low for one in every if one.low is not None]
    most = [one.high for one in every if one.high is not None]
    if more is not None:
        known += [more.low or 0.0] if known else []
        most.append(more.high or 0.0)
    return TimeEstimate(
        sum(known) if known or not every else None,
        sum(most) if all(one.high is not None for one in every) else None,
    )


def _of_run(spec: RunSpec, pace: Pace | None) -> TimeEstimate:
    windows = pace.windows(spec.measure) if pace is not None else None
    if pace is not None and windows is not None:
        rest = pace.start + pace.warm_up + (pace.detail if spec.measure.detail else 0.0)
        return TimeEstimate(rest + windows[0], rest + windows[1])
    if spec.measure.epochs:
        return TimeEstimate(None, None)
    kind = spec.devices[0].kind
    start, parts = START_SECONDS[kind], WARMUP_SECONDS + detail_seconds(spec)
    least, most = window_seconds(spec.measure)
    allowed = max(parts, _seconds_allowed(spec)) if kind == "cpu" else parts
    return TimeEstimate(start + parts + least, start + allowed + most)


def detail_seconds(spec: RunSpec) -> float:
    """Return the seconds of a run's detail phase if its steps are short."""
    if not spec.measure.detail:
        return 0.0
    return DETAIL_SECONDS + (COMMUNICATION_SECONDS if _communicates(spec) else 0.0)


def _seconds_allowed(spec: RunSpec) -> float:
    """Return the seconds that the limits allow to warm-up and detail phase together."""
    warm_up = WARM_UP_SHARE * spec.measure.seconds
    if not spec.measure.detail:
        return warm_up
    turns = MOST_TURNS_SECONDS if spec.mode == "ddp" and _communicates(spec) else 0.0
    return warm_up + MOST_DETAIL_SECONDS + turns


def _communicates(spec: RunSpec) -> bool:
    return spec.mode in ("ddp", "fsdp") and spec.world_size > 1
