"""A tune of the tests' own, in place of the one that analyses figures: its plan's title says what follows.

Its workers are those of ranks.py, which measure nothing that could be analysed.
"""

from __future__ import annotations

from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Attempt, Remedy
from gpubench_tui.engine.record.session import Session
from msgspec.structs import replace

REMEDY = Remedy(name="another batch", changes={"batch": 64})


def next_runs(session: Session) -> tuple[RunSpec, ...]:
    """The next of the plan's behaviours: `a|b` is an attempt of two sides, and one alone a confirmation."""
    start = session.plan.runs[0]
    begun = max(run.spec.attempt.number for run in session.runs.values() if run.spec.attempt is not None)
    attempts = session.plan.title.split()
    if session.runs[start.id].state != "measured" or begun >= len(attempts):
        return ()
    if attempts[begun] == "never":
        raise ValueError("there is no next run")
    if attempts[begun] == "again":
        return (start,)
    behaviours = attempts[begun].split("|")
    purpose = "remedy" if len(behaviours) == 2 else "confirmation"
    return tuple(
        replace(
            start,
            id=f"{begun + 1}{side}-{behaviour}",
            label=behaviour,
            attempt=Attempt(number=begun + 1, purpose=purpose, changed=side == 1, remedy=REMEDY),
        )
        for side, behaviour in enumerate(behaviours)
    )
