"""Growth of a tune's plan: the runs that follow from what has been recorded so far."""

from __future__ import annotations

from msgspec.structs import replace

from ..plan.plan import RunSpec
from ..record.session import WITHOUT_STEPS, Session, read_session
from ..record.session_folder import SessionFolder


def runs_that_follow(folder: SessionFolder) -> tuple[RunSpec, ...]:
    """Return the runs that a tune goes on with; none when it is done.

    Raises OSError where its journal cannot be read, and RuntimeError where it would go on without end.
    """
    session = read_session(folder.journal, WITHOUT_STEPS)
    found = _next_runs(session)
    if known := sorted({spec.id for spec in found} & session.runs.keys()):
        raise RuntimeError(f"the tune asked for runs that it has measured: {', '.join(known)}")
    return found


def goes_on_when_resumed(session: Session) -> bool:
    """Return whether a tune that lacks no run of its plan would add some, if it had its time once more.

    If so, the session is left without the confirmation that it would have to measure anew.
    """
    if session.plan.tune is None:
        return False
    whole, session.elapsed = session.runs, 0.0
    session.runs = {name: run for name, run in whole.items() if not _confirms(run.spec)}
    more = _next_runs(session)
    if not more or all(map(_confirms, more)):  # nothing is left to try
        session.runs = whole
        return bool(_next_runs(session))
    session.plan = replace(session.plan, runs=tuple(run.spec for run in session.runs.values()))
    return True


def _confirms(spec: RunSpec) -> bool:
    return spec.attempt is not None and spec.attempt.purpose == "confirmation"


def _next_runs(session: Session) -> tuple[RunSpec, ...]:
    from ..analysis.tuning.next_runs import next_runs  # late: no other session waits for its import

    return next_runs(session)
