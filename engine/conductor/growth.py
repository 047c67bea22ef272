"""Growth of a tune's plan: the runs that follow from what has been recorded so far."""

from __future__ import annotations

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
    """Return whether a tune that lacks no run of its plan would add some, if it had its time once more."""
    if session.plan.tune is None:
        return False
    session.elapsed = 0.0
    return bool(_next_runs(session))


def _next_runs(session: Session) -> tuple[RunSpec, ...]:
    from ..analysis.tuning.next_runs import next_runs  # late: no other session waits for its import

    return next_runs(session)
