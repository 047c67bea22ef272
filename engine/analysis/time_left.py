"""Estimates of the remaining time, which screens mark as such.

A run has three stages: it starts and warms up, measures its windows, and runs the detail phase. The duration
of a stage is taken from the session's earlier runs, or else from the plan's estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import fmean
from typing import NamedTuple

from ..plan.estimate import (
    COMMUNICATION_SECONDS,
    DETAIL_SECONDS,
    FIRST_START_SECONDS,
    START_SECONDS,
    WARMUP_SECONDS,
)
from ..plan.plan import RunSpec
from ..record.session import RunState, Session
from .results.throughput import run_summary

LATE = 0.1
"""Assumed remainder of an overdue stage, as a share of its time so far."""


class Stages(NamedTuple):
    """Duration of each stage of a run, in s."""

    start: float
    windows: float | None
    """Duration of the windows; None for training by epochs before a run has shown it."""
    look: float


def run_seconds_left(session: Session, run: RunState) -> float | None:
    """Return the estimated time until the run ends, in s; None if unknown so far."""
    if run.started_at is None:
        return None
    now = session.elapsed
    expected = _expected(session, run.spec)
    measuring, looking = run.entered.get("measuring"), _end_of_windows(run)
    if looking is not None:
        return _rest(expected.look, now - looking)
    if measuring is not None:
        windows = _windows_left(run, now - measuring, expected.windows)
        return None if windows is None else windows + expected.look
    if expected.windows is None:
        return None
    return _rest(expected.start, now - run.started_at) + expected.windows + expected.look


def session_seconds_left(session: Session) -> float | None:
    """Return the estimated time until the session ends, in s; None if unknown so far."""
    left = 0.0
    fallback = None
    if session.current is not None:
        run = session.runs[session.current]
        now = run_seconds_left(session, run)
        if now is None:
            return None
        left, fallback = now, session.elapsed - (run.started_at or 0.0) + now
    for run in session.runs.values():
        if run.state == "waiting":
            start, windows, look = _expected(session, run.spec)
            if windows is None and fallback is None:
                return None
            left += fallback or 0.0 if windows is None else start + windows + look
    return left


def share_done(session: Session, run: RunState) -> float | None:
    """Return the elapsed share of the run's time, from 0 to 1; None if unknown so far."""
    left = run_seconds_left(session, run)
    if left is None or run.started_at is None:
        return None
    gone = session.elapsed - run.started_at
    return gone / (gone + left) if gone + left else 0.0


def _windows_left(run: RunState, gone: float, expected: float | None) -> float | None:
    measure, progress = run.spec.measure, run.progress
    if measure.epochs:
        if progress is None or progress < 0.01:
            return None if expected is None else _rest(expected, gone)
        return gone * (1 - progress) / progress
    measured = min((rank.measured_seconds for rank in run.ranks.values()), default=0.0)
    summary = run_summary(run)
    each = measured / summary.windows if summary.windows else measure.window_seconds
    least, most = (measure.windows - summary.windows) * each, measure.seconds - measured
    if not measure.target:
        return max(0.0, least, most)
    if summary.interval is None or not summary.throughput:
        guess = most if expected is None else min(most, _rest(expected, gone))
        return max(0.0, least, guess)
    low, high = summary.interval
    # The interval shrinks with the root of the number of windows.
    needed = ((high - low) / 2 / summary.throughput / measure.target) ** 2
    return max(0.0, least, min(most, (needed - 1) * measured))


def _expected(session: Session, spec: RunSpec) -> Stages:
    done = [run for run in session.runs.values() if run.state == "measured"]
    start = _mean(_start, done)
    if start is None:
        start = WARMUP_SECONDS + (START_SECONDS[spec.devices[0].kind] if spec.devices else 0.0)
        start += FIRST_START_SECONDS if spec is session.plan.to_run[0] else 0.0
    alike = [run for run in done if _measured_alike(run.spec, spec)]
    windows = _mean(_windows, alike)
    measure = spec.measure
    if windows is None and not measure.epochs:
        windows = max(measure.windows * measure.window_seconds, measure.seconds)
    if not measure.detail:
        return Stages(start, windows, 0.0)
    look = _mean(_look, [run for run in done if _communicates(run.spec) == _communicates(spec)])
    if look is None:
        look = DETAIL_SECONDS + (COMMUNICATION_SECONDS if _communicates(spec) else 0.0)
    return Stages(start, windows, look)


def _mean(of: Callable[[RunState], float | None], runs: list[RunState]) -> float | None:
    known = [seconds for seconds in map(of, runs) if seconds is not None]
    return fmean(known) if known else None


def _start(run: RunState) -> float | None:
    measuring = run.entered.get("measuring")
    return None if measuring is None or run.started_at is None else measuring - run.started_at


def _windows(run: RunState) -> float | None:
    measuring, looking = run.entered.get("measuring"), _end_of_windows(run)
    return None if measuring is None or looking is None else looking - measuring


def _look(run: RunState) -> float | None:
    looking = _end_of_windows(run)
    return None if looking is None or run.finished_at is None else run.finished_at - looking


def _end_of_windows(run: RunState) -> float | None:
    """Return when the detail phase began, or without one the end of the windows."""
    moments: Iterator[float] = (
        run.entered[phase] for phase in ("detail", "communication", "finishing") if phase in run.entered
    )
    return min(moments, default=None)


def _measured_alike(one: RunSpec, other: RunSpec) -> bool:
    return one.measure == other.measure and one.workload.model == other.workload.model


def _communicates(spec: RunSpec) -> bool:
    return spec.mode in ("ddp", "fsdp") and spec.world_size > 1


def _rest(expected: float, gone: float) -> float:
    return max(expected - gone, LATE * gone)
