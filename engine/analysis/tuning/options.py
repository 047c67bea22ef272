"""The remedies that a tune may try next: those of the best settings' diagnoses, then routine ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...plan.changed_run import changes_in_effect
from ...plan.remedy import Cost, Remedy, costs_in_words
from ...text.encoding import encode_json
from ...text.units import ratio
from .course import NO_TIME, Course, searched
from .diagnosed import diagnoses_of
from .routine import ROUTINE, is_slow_to_start, routine_remedies
from .sequential import WORTH

BATCH = "batch"
"""Key of the batch in a workload, and cost of a larger one: another recipe."""
BATCH_COST: Cost = "recipe"
MORE_PROMISING = 1.05
"""Ratio of ceilings from which a remedy that was refused is worth another try with other settings."""


class Option(Struct, frozen=True, kw_only=True):
    """A remedy that may be tried on the best settings so far."""

    remedy: Remedy
    diagnosis: str = ""
    """Name of the diagnosis that proposes it; empty for none."""
    is_found: bool = False
    """Whether it is the fastest of the larger batches that were tried."""
    searches: bool = False
    """Whether it stands for the search for a larger batch."""
    place: int = 0
    """Place among the routine remedies and the search for a batch, from 1; 0 for those before them."""
    why_not: str = ""
    """Reason that it is not tried; empty if it is."""
    lacks: tuple[Cost, ...] = ()
    """Costs that are not allowed; only with these it would be tried."""

    @property
    def promise(self) -> float:
        """Most that it could bring; 0 where nothing is known of that."""
        return self.remedy.ceiling or 0.0


def options(course: Course) -> tuple[Option, ...]:
    """Return the remedies that were not tried on the best settings so far, the most promising first.

    They are those of its diagnoses, then the routine ones in their own order. A larger batch is one of these,
    whatever the diagnoses say; the fastest one that was found comes first.
    """
    found: dict[bytes, Option] = {}
    for diagnosis in diagnoses_of(course.session, course.best):
        for remedy in diagnosis.remedies:
            option = Option(remedy=remedy, diagnosis=diagnosis.name)
            key = _key(remedy)
            if key not in found or option.promise > found[key].promise:
                found[key] = option
    judged = [each for one in found.values() for each in _judged(course, one)]
    for place, remedy in enumerate(routine_remedies(course.best_spec, course.session.host), 1):
        if _key(remedy) not in found:
            own = _judged(course, Option(remedy=remedy, place=place))
            judged += (each for each in own if not each.why_not or each.lacks)
    judged += _batches(course, judged)
    return tuple(sorted(judged, key=_rank))


def _rank(option: Option) -> tuple[bool, bool, bool, int, float]:
    """Return what options are sorted by: those that take long to try come last."""
    slow = option.place > 0 and is_slow_to_start(option.remedy)
    return bool(option.why_not), not option.is_found, slow, option.place, -option.promise


def _judged(course: Course, option: Option) -> Iterator[Option]:
    """Yield an option, with the reason if it is not tried; nothing if it needs no word."""
    remedy = option.remedy
    try:
        changes = changes_in_effect(course.best_spec, remedy.changes)
        changed = course.with_changes({**course.kept, **remedy.changes})
    except msgspec.ValidationError:
        return
    if not changes or _was_tried(course, option):
        return
    searches = _is_larger_batch(course, remedy) and not option.is_found
    if searches and course.search is not None:  # whose result is an option of its own
        return
    # A larger batch is another recipe; to use more memory is what it is for, and needs no leave of its own.
    lacks = _lacking(course, (BATCH_COST,) if searches else remedy.costs)
    why_not = _why_not(remedy, lacks)
    if not why_not and searches:
        search = searched(course, course.numbers + 1, ())
        why_not = search.ended
    elif not why_not and changed.skip is not None:
        why_not = f"cannot be run here: {changed.skip}"
    yield replace(option, searches=searches, why_not=why_not, lacks=() if changed.skip else lacks)


def _lacking(course: Course, costs: Sequence[Cost]) -> tuple[Cost, ...]:
    """Return those of a remedy's costs that are not allowed."""
    tune = course.session.plan.tune
    return tuple(cost for cost in costs if tune is None or cost not in tune.allow)


def _why_not(remedy: Remedy, lacks: Sequence[Cost]) -> str:
    """Return why a remedy is not worth trying, or may not be tried; empty if it is."""
    if lacks:
        return f"it {costs_in_words(lacks)}, which is not allowed"
    if remedy.ceiling is not None and remedy.ceiling < WORTH:
        return f"at most {ratio(remedy.ceiling)} is possible"
    return ""


def _batches(course: Course, others: Sequence[Option]) -> Iterator[Option]:
    """Yield a larger batch: the search for one, or the fastest one that it found."""
    search, batch = course.search, course.best_spec.workload.batch
    if search is None:
        if not any(each.searches for each in others):
            own = Option(remedy=larger_batch(2 * batch), place=len(ROUTINE) + 1)
            yield from (each for each in _judged(course, own) if not each.why_not or each.lacks)
    elif search.fastest > batch:
        yield from _judged(course, Option(remedy=larger_batch(search.fastest), is_found=True))


def _is_larger_batch(course: Course, remedy: Remedy) -> bool:
    """Return whether a remedy is a larger batch and nothing else."""
    batch = remedy.changes.get(BATCH)
    is_alone = remedy.changes.keys() == {BATCH}
    return is_alone and isinstance(batch, int) and batch > course.best_spec.workload.batch


def larger_batch(batch: int) -> Remedy:
    """Return the remedy of a larger batch."""
    return Remedy(name=f"batch {batch:,}", changes={BATCH: batch}, costs=(BATCH_COST,))


def _was_tried(course: Course, option: Option) -> bool:
    """Return whether the same changes were tried with the same settings, or with others promised no less."""
    for tried, context in zip(course.tried, course.contexts, strict=True):
        if _key(tried.remedy) == _key(option.remedy) and tried.why != NO_TIME:
            promised = (tried.remedy.ceiling or 0.0) * MORE_PROMISING
            if context == course.kept or option.is_found or option.promise <= promised:
                return True
    return False


def _key(remedy: Remedy) -> bytes:
    return encode_json(dict(sorted(remedy.changes.items())))
