"""The course of a tune: its attempts one after the other, what was kept, and so the best settings so far."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...plan.changed_run import as_changed
from ...plan.data import origin_of, too_little_data
from ...plan.limits import refusal
from ...plan.plan import RunSpec
from ...plan.workload.trainings import own_training
from ...record.session import RunState, Session
from ...statistics import Estimate
from ..results.configuration import configuration_label
from ..results.throughput import run_summary
from .attempts import Pairs, Tried, attempts_of, configuration_of, pairs_of, trouble_in_words
from .batch import BatchSearch, BatchTried, batch_search, batches_tried
from .gain import lies_above_one
from .sequential import MOST_PAIRS, WORTH, decide

NO_TIME = "no time was left to decide"


class Course(Struct, kw_only=True):
    """A tune as far as its recorded runs tell."""

    session: Session
    start: RunState | None
    """The run of the settings as they were; None before there is one."""
    kept: dict[str, Any]
    """Changes that were kept, by their keys."""
    tried: list[Tried]
    """Attempts in order, the last of which may still be measured."""
    contexts: list[Mapping[str, Any]]
    """Changes kept before each of these."""
    best: str
    """Id of the configuration of the best settings so far."""
    search: BatchSearch | None
    last_confirmation: Pairs | None
    open: Pairs | None
    """The attempt that is not decided yet; None where every one is."""
    numbers: int
    """Number of attempts so far, the start not counted."""

    @property
    def waits(self) -> bool:
        """Whether runs of the plan are yet to be measured."""
        return any(run.state in ("waiting", "running") for run in self.session.runs.values())

    @property
    def start_spec(self) -> RunSpec:
        """The run of the settings as they were, without its part in the tune."""
        assert self.start is not None
        return replace(self.start.spec, attempt=None, label=configuration_label(self.start.spec))

    @property
    def confirmation(self) -> Pairs | None:
        """The pairs that measure all that was kept anew; None before, or where more was kept since."""
        pairs = self.last_confirmation
        remedy = pairs.attempt.remedy if pairs is not None else None
        return pairs if remedy is not None and remedy.changes == self.kept else None

    @property
    def remedies(self) -> int:
        """Number of remedies whose test has begun."""
        return len(self.tried)

    def with_changes(self, changes: Mapping[str, Any]) -> RunSpec:
        """Return the start with other settings, and why it is skipped if the machine cannot run it so.

        No file is read for it: what was recorded decides, on any machine. Raises msgspec.ValidationError
        where a change is not allowed.
        """
        changed = as_changed(self.start_spec, changes)
        skip = refusal(changed, self.session.plan.devices, self.session.host) or self._lack_of_data(changed)
        return replace(changed, skip=skip)

    def _lack_of_data(self, spec: RunSpec) -> str | None:
        """Return why the training set that the start had is too small for a step; None where it suffices."""
        workload, ranks = spec.workload, self.start.ranks.values() if self.start is not None else ()
        units = next((rank.train_samples for rank in ranks if rank.train_samples is not None), None)
        if units is None or own_training(workload.training) is not None:
            return None
        length = workload.sequence_length if workload.training == "tokens" else 1
        return too_little_data(spec, {origin_of(workload): units // length})

    @property
    def best_spec(self) -> RunSpec:
        """The start with all that was kept."""
        return self.with_changes(self.kept) if self.kept else self.start_spec


def course_of(session: Session) -> Course:
    """Return the course that a session's recorded runs show."""
    course = Course(
        session=session,
        start=None,
        kept={},
        tried=[],
        contexts=[],
        best="",
        search=None,
        last_confirmation=None,
        open=None,
        numbers=0,
    )
    for number, runs in attempts_of(session).items():
        purpose = runs[0].spec.attempt.purpose if runs[0].spec.attempt else "start"
        course.numbers = max(course.numbers, number)
        if purpose == "start":
            course.start = next((run for run in runs if run.state == "measured"), runs[0])
            course.best = course.start.spec.configuration or course.start.spec.id
        elif course.start is None:
            continue  # the record is damaged: there is nothing to hold it against
        elif purpose == "batch":
            _add_search(course, number, runs)
        elif purpose == "confirmation":
            _give_up_open(course)
            course.last_confirmation = pairs_of(runs)
        else:
            _give_up_open(course)
            _add_remedy(course, number, pairs_of(runs))
    return course


def _add_remedy(course: Course, number: int, pairs: Pairs) -> None:
    """Add an attempt at a remedy, and keep its changes where that is decided."""
    course.contexts.append(dict(course.kept))
    tried = tried_remedy(number, pairs, course.remedies + 1)
    if problem := _problem(course, tried.remedy.changes):
        tried = replace(tried, state="failed", why=problem)
    course.tried.append(tried)
    if tried.state == "kept":
        course.kept |= tried.remedy.changes
        course.best = tried.changed
    course.open = pairs if tried.state == "measuring" else None


def _problem(course: Course, changes: Mapping[str, Any]) -> str:
    """Return why no run can have these changes besides those that were kept; empty if one can."""
    try:
        as_changed(course.start_spec, {**course.kept, **changes})
    except msgspec.ValidationError as error:
        return f"the record is damaged: {error}"
    return ""


def tried_remedy(number: int, pairs: Pairs, nth: int) -> Tried:
    """Return what became of the attempt at a remedy, the n-th of its tune."""
    remedy = pairs.attempt.remedy
    assert remedy is not None
    tried = Tried(
        number=number,
        remedy=remedy,
        diagnosis=pairs.attempt.diagnosis,
        state="measuring",
        gain=pairs.gain,
        before=configuration_of(pairs.before),
        changed=configuration_of(pairs.changed),
    )
    if (step := pairs.broken_from) is not None:
        return replace(tried, state="failed", why=f"with it the loss is not finite from step {step:,} on")
    decision = decide(pairs.ratios, nth)
    if decision == "keep":
        return replace(tried, state="kept")
    if (run := pairs.trouble) is not None:
        whose = "" if run in pairs.changed else "without it: "
        state = "refused" if run.state == "skipped" else "failed"
        return replace(tried, state=state, why=f"{whose}{trouble_in_words(run)}")
    if decision == "refuse" or (pairs.number_planned >= MOST_PAIRS and not pairs.waits):
        return replace(tried, state="refused", why=_why_refused(pairs.gain))
    return tried


def _why_refused(gain: Estimate | None) -> str:
    """Return why a gain does not suffice."""
    if gain is None or gain.interval is None:
        return "no gain"
    if gain.interval[1] < 1:
        return "slower"
    if lies_above_one(gain):
        return "not clear enough for one of several tries"
    return "no gain" if gain.interval[1] < WORTH else "no clear gain"


def _give_up_open(course: Course) -> None:
    """Give up an attempt that something else follows: time was short."""
    if course.open is not None:
        course.tried[-1] = given_up(course.tried[-1], NO_TIME)
        course.open = None


def given_up(tried: Tried, why: str) -> Tried:
    """Return an attempt that ended before it was decided."""
    return replace(tried, state="refused", why=why)


def _add_search(course: Course, number: int, runs: Sequence[RunState]) -> None:
    course.search = searched(course, number, batches_tried(runs))


def first_batch(course: Course) -> BatchTried:
    """Return the batch of the best settings so far, with the median throughput of their runs."""
    runs = [run for run in course.session.runs.values() if is_of(run, course.best)]
    rates = [rate for run in runs if (rate := run_summary(run).throughput) is not None]
    batch = course.best_spec.workload.batch
    return BatchTried(batch=batch, fits=True, throughput=statistics.median(rates) if rates else None)


def searched(course: Course, number: int, tried: Sequence[BatchTried]) -> BatchSearch:
    """Return how a search for the largest batch stands that began with the best settings so far."""
    begin = first_batch(course)
    spec = course.best_spec
    known: dict[int, str] = {}
    while True:
        search = batch_search(
            *(number, begin, tried),
            known_not_to_fit=known,
            multiple=spec.device_count if spec.workload.batch_scope == "global" else 1,
        )
        if search.next is None:
            return search
        try:
            skip = course.with_changes({**course.kept, "batch": search.next}).skip
        except msgspec.ValidationError:  # beyond the largest number that a preset may have
            skip = "no such batch can be set"
        if skip is None:
            return search
        known[search.next] = skip


def is_of(run: RunState, configuration: str) -> bool:
    """Return whether a run repeats the configuration of that id."""
    return configuration in (run.spec.configuration, run.spec.id)
