"""A tune as it stands: what was tried, what each brought, what was kept, and what it all brings together."""

from __future__ import annotations

from typing import Any, Literal
from weakref import WeakKeyDictionary

from msgspec import Struct

from ...plan.remedy import Cost
from ...record.session import RunState, Session
from ...statistics import Estimate
from ..results.throughput import run_summary
from .attempts import Tried, configuration_of, trouble_in_words
from .batch import BatchSearch
from .course import NO_TIME, Course, course_of, given_up
from .gain import lies_above_one
from .options import options
from .step import BatchStep, EndStep, PairStep, Step, next_step

Stage = Literal["start", "trying", "batch", "confirming", "ended"]


class Tuning(Struct, frozen=True, kw_only=True):
    """A tune as far as it has gone."""

    stage: Stage
    """Present part of the tune."""
    ended: str
    """Reason of its end, without a full stop; empty before."""
    start: str
    """Id of the configuration as it was."""
    start_throughput: float | None
    """Throughput before anything was tried, in the unit/s."""
    unit: str
    """Unit of throughputs, in the plural."""
    tried: tuple[Tried, ...]
    """Remedies in the order in which they were tried, then those that were not tried."""
    batch: BatchSearch | None
    """Search for the largest batch; None where there was none."""
    kept: dict[str, Any]
    """Changes that were kept, by their keys."""
    best: str
    """Id of the configuration of the best settings so far."""
    total: Estimate | None
    """Throughput with all that was kept over that of the start, measured anew in turns. None before."""
    confirmation: tuple[str, str] | None
    """Ids of the two configurations behind it, that of the start first; None before."""
    trouble: str
    """Reason that there is no such figure though something was kept; empty else."""
    allowed: tuple[Cost, ...] = ()
    """Costs that a change may have."""

    @property
    def confirmed(self) -> bool | None:
        """Whether the 95% interval of the total gain lies above 1; None without a total gain at the end."""
        return lies_above_one(self.total) if self.stage == "ended" and self.total is not None else None

    @property
    def attempts(self) -> tuple[Tried, ...]:
        """Remedies that were tried."""
        return tuple(each for each in self.tried if each.number is not None)

    @property
    def kept_attempts(self) -> tuple[Tried, ...]:
        """Remedies that were kept, in order."""
        return tuple(each for each in self.tried if each.state == "kept")


_KNOWN: WeakKeyDictionary[Session, tuple[tuple[object, ...], Tuning]] = WeakKeyDictionary()
"""Newest state of each session's tune, and the values that it was derived from.

The monitor asks for it at each tick, and everything that shows results several times.
"""


def tuning_of(session: Session) -> Tuning | None:
    """Return how the session's tune stands; None for a session that is none.

    Repeated calls are free until a run has got further.
    """
    if session.plan.tune is None:
        return None
    made_of = _made_of(session)
    known = _KNOWN.get(session)
    if known is None or known[0] != made_of:
        known = _KNOWN[session] = made_of, _tuning_of(session, session.plan.tune.allow)
    return known[1]


def _made_of(session: Session) -> tuple[object, ...]:
    """Return values that change whenever a tune does: with its runs, and between them with time."""
    runs = session.runs.values()
    states = tuple((run.spec.id, run.state) for run in runs)
    running = tuple(_progress(run) for run in runs if run.state == "running")
    waits = any(run.state in ("waiting", "running") for run in runs)
    time = None if waits else session.elapsed
    return session.plan.tune, session.outcome, session.reason, states, running, time


def _progress(run: RunState) -> tuple[object, ...]:
    broken = tuple(rank.broken_from for rank in run.ranks.values())
    return run.phase, run.unit, len(run.complete_windows), broken


def _tuning_of(session: Session, allowed: tuple[Cost, ...]) -> Tuning:
    course = course_of(session)
    step = next_step(course)
    ended = _ended(course, step)
    tried = list(course.tried)
    if course.open is not None and (ended or (isinstance(step, PairStep) and step.confirms)):
        tried[-1] = given_up(
            tried[-1], "stopped before it was clear" if session.outcome == "stopped" else NO_TIME
        )
    confirmation = course.confirmation
    total = confirmation.gain if confirmation is not None else None
    start = course.start
    return Tuning(
        stage="ended" if ended else _stage(course, step),
        ended=ended,
        start="" if start is None else configuration_of([start]),
        start_throughput=None if start is None else run_summary(start).throughput,
        unit="samples" if start is None else start.unit,
        tried=(*tried, *_not_tried(course, ended)),
        batch=course.search,
        kept=dict(course.kept),
        best=course.best,
        total=total,
        confirmation=None
        if confirmation is None
        else (configuration_of(confirmation.before), configuration_of(confirmation.changed)),
        allowed=allowed,
        trouble=_trouble(course, total) if ended else "",
    )


def _ended(course: Course, step: Step | None) -> str:
    """Return why the tune has ended; empty while it goes on."""
    session = course.session
    if session.outcome == "stopped":
        return "stopped by the user"
    if session.outcome == "interrupted":
        return f"interrupted: {session.reason}" if session.reason else "interrupted"
    return step.why if isinstance(step, EndStep) else ""


def _stage(course: Course, step: Step | None) -> Stage:
    """Return what a tune does that goes on: by the run that is measured or waits, else by its next step."""
    planned = [
        run.spec.attempt for run in course.session.runs.values() if run.state in ("waiting", "running")
    ]
    if planned and planned[0] is not None:
        stages: dict[str, Stage] = {"remedy": "trying", "confirmation": "confirming", "batch": "batch"}
        return stages.get(planned[0].purpose, "start")
    if isinstance(step, PairStep):
        return "confirming" if step.confirms else "trying"
    return "batch" if isinstance(step, BatchStep) else "start"


def _trouble(course: Course, total: Estimate | None) -> str:
    """Return why what was kept was not measured anew; empty if it was."""
    if not course.kept or total is not None:
        return ""
    pairs = course.confirmation
    if pairs is not None and pairs.trouble is not None:
        return f"the confirmation failed: {trouble_in_words(pairs.trouble)}"
    return f"not measured anew: {course.session.outcome or 'ended'} before"


def _not_tried(course: Course, ended: str) -> list[Tried]:
    """Return the remedies that are left, and why none of them is tried."""
    if course.start is None or course.start.state != "measured":
        return []
    given_up_on = [each.remedy.changes for each in course.tried if each.why == NO_TIME]
    return [
        Tried(
            number=None,
            remedy=each.remedy,
            diagnosis=each.diagnosis,
            state="not tried",
            why=each.why_not or ended,
            lacks=each.lacks,
        )
        for each in options(course)
        if (each.why_not or ended) and each.remedy.changes not in given_up_on
    ]
