"""The next step of a tune: a pair of runs, a larger batch, or the end."""

from __future__ import annotations

import math
from typing import Any

from msgspec import Struct

from ...plan.remedy import Remedy
from .attempts import Pairs
from .course import Course, searched
from .options import Option, options
from .routine import is_slow_to_start
from .sequential import FEWEST_PAIRS
from .short import seconds_a_run

CONFIRMING_PAIRS = 6
"""Pairs of the confirmation, unless time is short or an attempt that was kept took more. All are planned
before the first: stopping where it looks best would favour the tune."""
FEWEST_CONFIRMING_PAIRS = 4
COMPILING_SECONDS = 45.0
"""Time that torch takes to compile a model for the first time; it keeps what it has compiled."""
NO_REMEDY = "no remedy is left"
ALL_KEPT = "all changes"


class PairStep(Struct, frozen=True, kw_only=True):
    """Pairs of runs, with changes and without, to measure next."""

    number: int
    """Number of the attempt."""
    pairs: range
    """Numbers of the pairs, from 1."""
    confirms: bool
    """Whether it measures anew all that was kept."""
    remedy: Remedy
    diagnosis: str = ""
    before: dict[str, Any]
    """Changes of the settings that the remedy is held against."""


class BatchStep(Struct, frozen=True, kw_only=True):
    """A batch to try next."""

    number: int
    """Number of the attempt."""
    batch: int
    diagnosis: str = ""


class EndStep(Struct, frozen=True, kw_only=True):
    """The end of a tune."""

    why: str


Step = PairStep | BatchStep | EndStep


def next_step(course: Course) -> Step | None:
    """Return what a tune does next; None while planned runs are to be measured first."""
    start = course.start
    if start is None or course.waits:
        return None
    if start.state != "measured":
        return EndStep(why=f"the start was not measured: {start.reason or start.state}")
    return _go_on(course, Time(course))


def _go_on(course: Course, time: Time) -> Step:
    """Return the next step of the attempt or the search that goes on, else the beginning of another.

    A search ends in time for the fastest batch so far to be tried.
    """
    search = course.search
    if course.open is not None:
        return _pair(course, course.open) if time.allows(pairs=1) else _confirmation(course, time, time.over)
    if search is not None and search.next is not None and time.allows(pairs=FEWEST_PAIRS + 1):
        return BatchStep(number=search.number, batch=search.next)
    return _new_attempt(course, time)


def _new_attempt(course: Course, time: Time) -> Step:
    """Return the beginning of another attempt, or of the confirmation where none is left or time is short."""
    left = [each for each in options(course) if not each.why_not]
    if not left:
        searches = course.search is not None and course.search.next is not None
        return _confirmation(course, time, time.over if searches else NO_REMEDY)
    chosen = next((each for each in left if time.allows(FEWEST_PAIRS, _seconds_once(each))), None)
    if chosen is None:
        return _confirmation(course, time, time.over if course.tried else time.too_short)
    number = course.numbers + 1
    if chosen.searches:
        batch = searched(course, number, ()).next
        assert batch is not None, "an option that can be tried"
        return BatchStep(number=number, batch=batch, diagnosis=chosen.diagnosis)
    return _first_pair(course, number, chosen)


def _seconds_once(option: Option) -> float:
    """Return the seconds that the first run of an attempt takes longer than others."""
    return COMPILING_SECONDS if is_slow_to_start(option.remedy) else 0.0


def _first_pair(course: Course, number: int, option: Option) -> PairStep:
    return PairStep(
        number=number,
        pairs=range(1, 2),
        confirms=False,
        remedy=option.remedy,
        diagnosis=option.diagnosis,
        before=dict(course.kept),
    )


def _pair(course: Course, pairs: Pairs) -> PairStep:
    """Return the next pair of an attempt that goes on."""
    attempt = pairs.attempt
    assert attempt.remedy is not None
    return PairStep(
        number=attempt.number,
        pairs=range(pairs.number_planned + 1, pairs.number_planned + 2),
        confirms=False,
        remedy=attempt.remedy,
        diagnosis=attempt.diagnosis,
        before=dict(course.kept),
    )


def _confirmation(course: Course, time: Time, why: str) -> Step:
    """Return all pairs of the confirmation; the end where nothing was kept, or they have been measured."""
    if not course.kept or course.confirmation is not None:
        return EndStep(why=why)
    took = [each.gain.n for each in course.tried if each.state == "kept" and each.gain is not None]
    count = max([CONFIRMING_PAIRS, *took])
    while count > FEWEST_CONFIRMING_PAIRS and not time.has_room(count):
        count -= 2
    return PairStep(
        number=course.numbers + 1,
        pairs=range(1, count + 1),
        confirms=True,
        remedy=Remedy(name=ALL_KEPT, changes=dict(course.kept)),
        before={},
    )


class Time:
    """The time that a tune has left."""

    def __init__(self, course: Course) -> None:
        tune = course.session.plan.tune
        self._limit = None if tune is None or tune.minutes is None else 60 * tune.minutes
        self._run = seconds_a_run([run for run in course.session.runs.values() if not run.taken_over])
        self._elapsed = course.session.elapsed
        limit = (self._limit or 0.0) / 60
        none_left = "the minute leaves no time" if limit == 1 else f"the {limit:g} minutes leave no time"
        self.over = f"{none_left} for another change"
        """Reason that nothing else is tried, where there is a limit."""
        needed = self._elapsed + self._run * 2 * (FEWEST_PAIRS + FEWEST_CONFIRMING_PAIRS)
        minutes = math.ceil(max(needed, (self._limit or 0.0) + 1) / 60)
        self.too_short = f"{none_left} to try a change, which takes about {minutes} in all"
        """Reason that nothing is tried at all."""

    def allows(self, pairs: int, more: float = 0.0) -> bool:
        """Return whether so many pairs, and `more` seconds, leave time to confirm what was kept."""
        return self.has_room(pairs + FEWEST_CONFIRMING_PAIRS, more)

    def has_room(self, pairs: int, more: float = 0.0) -> bool:
        """Return whether there is time for so many pairs, and `more` seconds."""
        return self._limit is None or self._elapsed + self._run * 2 * pairs + more <= self._limit
