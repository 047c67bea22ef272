"""Estimates of the remaining time, which screens mark as such.

A run has four stages: it starts, warms up, measures its windows, and runs the detail phase. The duration of a
stage is taken from the session's earlier runs, or else from past sessions on this machine, or else from the
time of a step. On a CPU, where a step may take seconds, nothing is known before the first has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from statistics import fmean
from typing import NamedTuple

from msgspec.structs import replace

from ..plan.estimate import FIRST_START_SECONDS, START_SECONDS, WARMUP_SECONDS, detail_seconds
from ..plan.pace import window_seconds
from ..plan.plan import RunSpec
from ..plan.workload.workload import Workload
from ..record.session import RunState, Session
from ..text.units import clock, duration
from .results.throughput import run_summary

LATE = 0.1
"""Assumed remainder of an overdue stage, as a share of its time so far."""
UNTIL_NOTHING_HELPS = ("until nothing helps any more", "time left unknown")
"""Words on the time left of a tune without a limit, then fewer."""
LONGER = 0.1
"""Growth of the time left, as a share of it, from which the reason is said."""
LONGER_SECONDS = 5.0
"""Growth of the time left, in s, up to which it is not shown at all."""


class Stages(NamedTuple):
    """Duration of each stage of a run, in s; None while it is unknown."""

    start: float
    warm_up: float | None
    windows: float | None
    detail: float


def run_seconds_left(session: Session, run: RunState) -> float | None:
    """Return the estimated time until the run ends, in s; None if unknown so far."""
    if run.started_at is None:
        return None
    now = session.elapsed
    expected = _expected(session, run.spec)
    training, measuring, looking = (
        run.entered.get("warming up"),
        run.entered.get("measuring"),
        run.windows_ended,
    )
    if looking is not None:
        return _rest(expected.detail, now - looking)
    if measuring is not None:
        windows = _windows_left(run, now - measuring, expected.windows)
        return None if windows is None else windows + expected.detail
    if expected.warm_up is None or expected.windows is None:
        return None
    rest = expected.windows + expected.detail
    if training is not None:
        return _rest(expected.warm_up, now - training) + rest
    return _rest(expected.start, now - run.started_at) + expected.warm_up + rest


def overdue_stage(session: Session, run: RunState) -> str:
    """Return the stage of a run that takes longer than expected, in words; empty if none does."""
    if run.started_at is None:
        return ""
    now, expected = session.elapsed, _expected(session, run.spec)
    training, measuring, looking = (
        run.entered.get("warming up"),
        run.entered.get("measuring"),
        run.windows_ended,
    )
    if looking is not None:
        return "the detail phase" if now - looking > expected.detail else ""
    if measuring is not None:
        return "measuring" if expected.windows is not None and now - measuring > expected.windows else ""
    if training is not None:
        return "warm-up" if expected.warm_up is not None and now - training > expected.warm_up else ""
    return "the start" if now - run.started_at > expected.start else ""


def session_seconds_left(session: Session) -> float | None:
    """Return the estimated time until the session ends, in s; None if unknown so far.

    A tune is taken to go on to its limit; without one it ends when nothing helps, and nobody knows when.
    """
    planned = _planned_seconds_left(session)
    if session.plan.tune is None:
        return planned
    limit = _seconds_to_limit(session)
    return None if limit is None else max(limit, planned or 0.0)


def _seconds_to_limit(session: Session) -> float | None:
    """Return the time until a tune begins nothing new, in s; None where it has no limit."""
    tune = session.plan.tune
    if tune is None or tune.minutes is None:
        return None
    return max(0.0, 60 * tune.minutes - session.elapsed)


def _planned_seconds_left(session: Session) -> float | None:
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
            start, warm_up, windows, detail = _expected(session, run.spec)
            if warm_up is not None and windows is not None:
                left += start + warm_up + windows + detail
            elif fallback is not None and run.spec.measure.epochs:
                left += fallback
            else:
                return None
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
    done = [run for run in session.runs.values() if run.state == "measured" and not run.taken_over]
    pace, step = session.plan.paces.get(spec.id), step_seconds(session, spec)
    start = _mean(_start, done)
    if start is None:
        start = START_SECONDS[spec.devices[0].kind] if spec.devices else 0.0
        start = pace.start if pace is not None else start
        start += FIRST_START_SECONDS if spec is session.plan.to_run[0] else 0.0
    alike = [run for run in done if _measured_alike(run.spec, spec)]
    warm_up, windows = _mean(_warm_up, alike), _mean(_windows, alike)
    detail = _mean(_detail, [run for run in alike if _communicates(run.spec) == _communicates(spec)])
    if detail is None:
        short = detail_seconds(spec)
        detail = pace.detail if pace is not None else max(short, spec.measure.detail * (step or 0.0))
    detail = detail if spec.measure.detail else 0.0
    if warm_up is None and step is not None:
        warm_up = pace.warm_up if pace is not None else max(WARMUP_SECONDS, spec.measure.warmup_steps * step)
    if windows is None and step is not None:
        by_epochs = pace.windows(spec.measure) if pace is not None else None
        known = by_epochs if spec.measure.epochs else window_seconds(spec.measure, step)
        windows = known[1] if known is not None else None
    return Stages(start, warm_up, windows, detail)


def step_seconds(session: Session, spec: RunSpec) -> float | None:
    """Return how long a step of a run takes: its own newest, or else that of a run of the same workload.

    Steps of another batch per device are taken to be in proportion to it. None while nothing is known; on
    GPUs a step is then taken for short.
    """
    own, work = session.runs.get(spec.id), _work(spec.workloads)
    for run in [*([own] if own is not None else []), *reversed(session.runs.values())]:
        times = [seconds for rank in run.ranks.values() if (seconds := rank.step_seconds.last) is not None]
        if times and _work(run.spec.workloads) == work:
            return max(times) * spec.batch_per_device() / run.spec.batch_per_device()
    if (pace := session.plan.paces.get(spec.id)) is not None:
        return pace.step
    return None if any(device.kind == "cpu" for device in spec.devices) else 0.0


@lru_cache(maxsize=1000)
def _work(workloads: tuple[Workload, ...]) -> tuple[Workload, ...]:
    """Return workloads without what names them, or changes a step in proportion or not at all."""
    return tuple(
        replace(each, name="", batch=1, batch_scope="device", learning_rate=1.0) for each in workloads
    )


def _mean(of: Callable[[RunState], float | None], runs: list[RunState]) -> float | None:
    known = [seconds for seconds in map(of, runs) if seconds is not None]
    return fmean(known) if known else None


def _start(run: RunState) -> float | None:
    training = run.entered.get("warming up")
    return None if training is None or run.started_at is None else training - run.started_at


def _warm_up(run: RunState) -> float | None:
    training, measuring = run.entered.get("warming up"), run.entered.get("measuring")
    return None if training is None or measuring is None else measuring - training


def _windows(run: RunState) -> float | None:
    measuring, looking = run.entered.get("measuring"), run.windows_ended
    return None if measuring is None or looking is None else looking - measuring


def _detail(run: RunState) -> float | None:
    looking = run.windows_ended
    return None if looking is None or run.finished_at is None else run.finished_at - looking


def _measured_alike(one: RunSpec, other: RunSpec) -> bool:
    short_steps = all(device.kind == "cuda" for device in other.devices)
    same_batch = one.batch_per_device() == other.batch_per_device()
    same_model = one.workload.model == other.workload.model
    return one.measure == other.measure and same_model and (same_batch or short_steps)


def _communicates(spec: RunSpec) -> bool:
    return spec.mode in ("ddp", "fsdp") and spec.world_size > 1


def _rest(expected: float, gone: float) -> float:
    return max(expected - gone, LATE * gone)


class Countdown:
    """The time left of a session as it is shown: it grows only with the reason beside it."""

    def __init__(self) -> None:
        self._end: float | None = None
        """Time at which the session was last said to end, in s since it started."""
        self._reason = ""
        self._run: str | None = None
        """Run that takes longer than expected."""
        self.seconds: float | None = None
        """Time left as it was last said, in s; None while unknown."""

    def look(self, session: Session) -> tuple[str, ...]:
        """Return the time left in words, as of the newest event, then in fewer; none while unknown."""
        left = self.seconds = session_seconds_left(session)
        if left is None:
            return () if session.plan.tune is None else UNTIL_NOTHING_HELPS
        now = session.elapsed
        if self._run != session.current:
            self._reason = ""
        shown = left if self._end is None else max(0.0, self._end - now)
        if left > shown + max(LONGER_SECONDS, LONGER * shown):
            self._run, self._reason = session.current, _reason(session)
        else:
            left = min(left, shown)
        self._end, self.seconds = now + left, left
        about = f"about {clock(max(1.0, left))} left"
        if _seconds_to_limit(session):
            return f"{about} (limit of the tune)", about
        if self._reason:
            return f"{about} (estimate; longer: {self._reason})", f"{about} (longer than expected)", about
        return f"{about} (estimate)", about


def _reason(session: Session) -> str:
    run = session.runs.get(session.current or "")
    if run is None:
        return "the runs take longer than those before"
    if (stage := overdue_stage(session, run)) == "measuring":
        return "the interval is still wide"
    step = step_seconds(session, run.spec)
    steps = f", a step {duration(step)}" if step else ""
    return f"{stage or run.spec.label} takes longer{steps}"
