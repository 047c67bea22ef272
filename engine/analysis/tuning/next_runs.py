"""The runs that a tune measures next: they follow from what it has recorded."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from ...plan.plan import RunSpec
from ...plan.preset.values import value_at
from ...plan.remedy import Attempt
from ...record.session import Session
from .course import Course, course_of
from .options import larger_batch
from .sequential import FEWEST_PAIRS
from .short import short
from .step import BatchStep, PairStep, next_step


def next_runs(session: Session) -> tuple[RunSpec, ...]:
    """Return the runs that a tune measures next; none once it has ended, or while planned runs wait."""
    if session.plan.tune is None:
        return ()
    course = course_of(session)
    step = next_step(course)
    if isinstance(step, BatchStep):
        return (_batch_run(course, step),)
    return tuple(_pairs(course, step)) if isinstance(step, PairStep) else ()


def _batch_run(course: Course, step: BatchStep) -> RunSpec:
    spec = course.with_changes({**course.kept, "batch": step.batch})
    attempt = Attempt(
        number=step.number,
        purpose="batch",
        changed=True,
        diagnosis=step.diagnosis,
        remedy=larger_batch(step.batch),
    )
    name = f"a{step.number:02d}-batch-{step.batch}"
    return replace(
        spec,
        id=name,
        configuration=name,
        label=f"{spec.label}, attempt {step.number}",
        measure=short(course.start_spec.measure),
        attempt=attempt,
    )


def _pairs(course: Course, step: PairStep) -> Iterator[RunSpec]:
    """Yield the runs of pairs, every other time in the other order, so that drift favours neither."""
    before = course.with_changes(step.before) if step.before else course.start_spec
    changed = course.with_changes({**step.before, **step.remedy.changes})
    before = replace(before, varied={key: value_at(before.workload, key) for key in changed.varied})
    attempt = Attempt(
        number=step.number,
        purpose="confirmation" if step.confirms else "remedy",
        diagnosis=step.diagnosis,
        remedy=step.remedy,
    )
    sides = ((before, attempt), (changed, replace(attempt, changed=True)))
    for number in step.pairs:
        pair = [_one_of_pair(course, *side, number) for side in sides]
        yield from pair if number % 2 else reversed(pair)


def _one_of_pair(course: Course, spec: RunSpec, attempt: Attempt, pair: int) -> RunSpec:
    """Return one run of a pair. That with the changes has a detail phase once they may be kept."""
    side = "with" if attempt.changed else "without"
    name = f"a{attempt.number:02d}-{side}"
    detail = attempt.changed and attempt.purpose == "remedy" and pair == FEWEST_PAIRS
    return replace(
        spec,
        id=f"{name}-r{pair}",
        configuration=f"{name}-r1",
        label=f"{_label(spec, attempt)}, repeat {pair}",
        repeat=pair,
        baseline=f"a{attempt.number:02d}-without-r{pair}",
        measure=short(course.start_spec.measure, detail=detail),
        attempt=attempt,
    )


def _label(spec: RunSpec, attempt: Attempt) -> str:
    """Return the label of a side of an attempt, as in `ddp x2, compile=true (attempt 3, with it)`."""
    what = "confirmation" if attempt.purpose == "confirmation" else f"attempt {attempt.number}"
    return f"{spec.label} ({what}, {'with' if attempt.changed else 'without'} it)"
