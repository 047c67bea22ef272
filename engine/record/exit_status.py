"""The exit status that a session's end calls for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .session import Session

MEASURED, RUN_FAILED, BAD_USAGE, STOPPED = 0, 1, 2, 130


def exit_status(session: Session) -> int:
    """Of a session that is over: 0 all runs measured or skipped by rule, 130 stopped by the user.

    1 where a run failed, or the session's process went without a last word.
    """
    if session.outcome == "stopped":
        return STOPPED
    if session.outcome is None or any(run.state == "failed" for run in session.runs.values()):
        return RUN_FAILED
    return MEASURED
