"""Exit statuses of the command and of the session process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .session import Session

MEASURED, RUN_FAILED, BAD_USAGE, NOT_JUDGED, STOPPED = 0, 1, 2, 3, 130


def exit_status(session: Session) -> int:
    """Return the exit status for a session that is over.

    0 if all runs were measured or skipped by rule; 130 if the user stopped it; 1 if a run failed whose plan
    does not reckon with it, or the session was interrupted.
    """
    if session.outcome == "stopped":
        return STOPPED
    failed = any(
        run.state == "failed" and not session.plan.may_fail(run.spec) for run in session.runs.values()
    )
    if failed or session.outcome in (None, "interrupted"):
        return RUN_FAILED
    return MEASURED
