"""The exit status that a session's end calls for."""

from __future__ import annotations

from ..engine.record.session import Session

MEASURED, RUN_FAILED, BAD_USAGE, STOPPED = 0, 1, 2, 130


def exit_status(session: Session) -> int:
    """0 all runs measured or skipped by rule, 1 a run failed, 130 stopped by the user."""
    if session.outcome == "stopped":
        return STOPPED
    if any(run.state == "failed" for run in session.runs.values()):
        return RUN_FAILED
    return RUN_FAILED if session.outcome is None and session.current is not None else MEASURED
