"""Records of tunes that someone has damaged: they are told as far as they make sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from building.tunes import gone_on, opened
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.analysis.tuning.next_runs import next_runs
from gpubench_tui.engine.analysis.tuning.tuning import Tuning, tuning_of
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Attempt, Remedy
from gpubench_tui.engine.record.events import Event, RunsAdded, SessionStarted
from gpubench_tui.engine.record.session import fold
from msgspec.structs import replace

from .conftest import Propose

COMPILE = Remedy(name="compile", changes={"compile": True}, ceiling=1.5)
HUGE = 2**63 - 1


def faster_compiled(run: RunSpec) -> float:
    return 1300.0 if run.workload.compile else 1000.0


def damaged(events: list[Event], damage: Callable[[RunSpec], RunSpec]) -> list[Event]:
    """The events with each run as that made it."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, SessionStarted):
            plan = replace(event.plan, runs=tuple(map(damage, event.plan.runs)))
            found.append(replace(event, plan=plan))
        elif isinstance(event, RunsAdded):
            found.append(replace(event, runs=tuple(map(damage, event.runs))))
        else:
            found.append(event)
    return found


def attempt_with(**fields: Any) -> Callable[[RunSpec], RunSpec]:
    """Damage to every attempt."""

    def damage(run: RunSpec) -> RunSpec:
        return replace(run, attempt=replace(run.attempt or Attempt(number=0, purpose="start"), **fields))

    return damage


def changing(changes: dict[str, Any]) -> Callable[[RunSpec], RunSpec]:
    """Damage to the changes of every remedy."""

    def damage(run: RunSpec) -> RunSpec:
        if run.attempt is None or run.attempt.remedy is None:
            return run
        remedy = replace(run.attempt.remedy, changes=changes)
        return replace(run, attempt=replace(run.attempt, remedy=remedy))

    return damage


def told(events: list[Event]) -> Tuning:
    """How a tune stands; its report and what it would go on with are derived as well."""
    session = fold(events)
    markdown(analyse(session))
    next_runs(session)
    tuning = tuning_of(session)
    assert tuning is not None
    return tuning


@pytest.mark.parametrize(
    "damage",
    [
        *(attempt_with(purpose=purpose) for purpose in ("remedy", "batch", "confirmation")),
        attempt_with(remedy=None),
        attempt_with(number=-HUGE),
        attempt_with(number=0),
        *(changing(changes) for changes in ({"": 1}, {"no such key": 1}, {"mode": "x"}, {"batch": "x"})),
    ],
)
@pytest.mark.parametrize("runs", [3, 40])
def test_attempts_that_make_no_sense_are_left_out(
    damage: Callable[[RunSpec], RunSpec], runs: int, propose: Propose
) -> None:
    propose([COMPILE])
    events = gone_on(opened(allow=["recipe"]), faster_compiled, runs=runs)
    assert told(events).attempts
    assert not told(damaged(events, damage)).kept


def test_changes_that_no_run_can_have_fail_with_the_reason(propose: Propose) -> None:
    propose([COMPILE])
    events = damaged(gone_on(opened(), faster_compiled), changing({"batch": 0}))
    (tried,) = told(events).attempts
    assert (tried.state, tried.why.partition(":")[0]) == ("failed", "the record is damaged")


def test_a_batch_beyond_the_largest_number_is_not_looked_for(propose: Propose) -> None:
    propose([])

    def damage(run: RunSpec) -> RunSpec:
        return replace(run, workloads=tuple(replace(each, batch=HUGE) for each in run.workloads))

    events = damaged(gone_on(opened(allow=["recipe"]), faster_compiled, runs=3), damage)
    assert not told(events).kept


def test_no_number_of_devices_takes_longer_than_another(propose: Propose) -> None:
    propose([COMPILE])
    events = gone_on(opened(), faster_compiled, runs=3)
    assert not told(damaged(events, lambda run: replace(run, device_count=HUGE, mode="ddp"))).kept
