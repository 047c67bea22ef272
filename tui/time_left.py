"""How much longer: estimates, for the screens that mark them so."""

from __future__ import annotations

from msgspec.structs import replace

from ..engine.plan.estimate import FIRST_START_SECONDS, estimate
from ..engine.record.session import RunState, Session


def run_seconds_left(run: RunState, now: float) -> float | None:
    """Seconds until the run has ended, about; for windows at most. None when nothing can be said yet."""
    progress = run.progress
    if run.started_at is None or progress is None:
        return None
    if not run.spec.measure.epochs:
        return (1 - progress) * run.spec.measure.seconds
    if progress < 0.01:
        return None
    return (now - run.started_at) * (1 - progress) / progress


def session_seconds_left(session: Session) -> float | None:
    """Seconds until the session has ended, about; None when nothing can be said yet."""
    waiting = [run for run in session.runs.values() if run.state == "waiting"]
    ahead = _seconds_of(waiting, session)
    if session.current is None:
        return ahead
    now = run_seconds_left(session.runs[session.current], session.elapsed)
    if now is None and not session.runs[session.current].spec.measure.epochs:
        now = _seconds_of([session.runs[session.current]], session)
    return None if now is None or ahead is None else now + ahead


def _seconds_of(runs: list[RunState], session: Session) -> float | None:
    if not runs:
        return 0.0
    expected = estimate(replace(session.plan, runs=tuple(run.spec for run in runs))).high
    if expected is not None:
        return expected if session.current is None else max(0.0, expected - FIRST_START_SECONDS)
    # By epochs: the runs so far are the only thing to go by.
    took = [
        run.finished_at - run.started_at
        for run in session.runs.values()
        if run.state == "measured" and run.started_at is not None and run.finished_at is not None
    ]
    return len(runs) * sum(took) / len(took) if took else None
