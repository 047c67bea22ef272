"""Resuming a tune: what it takes over, what it measures anew, and that it goes on with what was left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from building.sessions import HOST
from building.tunes import gone_on, opened, too_little_work
from gpubench_tui.engine.analysis.tuning import options
from gpubench_tui.engine.analysis.tuning.tuning import Tuning, tuning_of
from gpubench_tui.engine.conductor import same_machine
from gpubench_tui.engine.conductor.resume import NothingLackingError, Resumption, plan_resumption
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Remedy
from gpubench_tui.engine.record.events import Event, RunFinished, RunStarted, SessionStarted
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import fold
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.engine.record.takeover import read_events

COMPILE = Remedy(name="compile", changes={"compile": True}, ceiling=1.5)
NHWC = Remedy(name="channels last", changes={"channels_last": True}, ceiling=1.3)


@pytest.fixture(autouse=True)
def _a_machine_where_two_remedies_help(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosis = too_little_work(COMPILE, NHWC)
    monkeypatch.setattr(options, "diagnoses_of", lambda session, configuration: (diagnosis,))
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: HOST)
    monkeypatch.setattr(same_machine, "program_version", lambda: "0.1.0")


def rate(run: RunSpec) -> float:
    wobble = 1 + 0.001 * (sum(map(ord, run.id)) % 7)
    return (
        1000 * wobble * (1.3 if run.workload.compile else 1.0) * (1.2 if run.workload.channels_last else 1.0)
    )


def shelved(root: Path, events: Sequence[Event]) -> SessionFolder:
    begun = events[0]
    assert isinstance(begun, SessionStarted)
    folder = Shelf(root).create("tune", begun.plan, begun.host, "")
    journal = Journal(folder.journal)
    for event in events:
        journal.append(event)
    journal.close()
    return folder


def went_on(resumption: Resumption, root: Path) -> Tuning:
    """The tune that resumes another, once it has ended."""
    folder = resumption.create(Shelf(root), "again")
    begun = SessionStarted(
        at=0.0, session="again", program="0.1.0", unix_time=1.7e9, pid=1, host=HOST, plan=resumption.plan
    )
    found = tuning_of(fold(gone_on([begun, *read_events(folder.earlier)], rate)))
    assert found is not None
    return found


def test_one_whose_time_was_over_tries_what_was_left_and_confirms_all_of_it_anew(tmp_path: Path) -> None:
    short = gone_on(opened(minutes=5.5), rate)
    before = tuning_of(fold(short))
    assert before is not None and before.kept == COMPILE.changes and before.confirmed
    resumption = plan_resumption(shelved(tmp_path, short), minutes=60.0)
    assert resumption.plan.tune is not None and resumption.plan.tune.minutes == 60.0
    assert not resumption.lacking and "and on" in resumption.summary
    purposes = {spec.attempt.purpose for spec in resumption.plan.runs if spec.attempt is not None}
    assert purposes == {"start", "remedy"}, "its confirmation would not be of all that is kept"
    assert resumption.settled == {spec.id for spec in resumption.plan.runs}
    after = went_on(resumption, tmp_path)
    assert after.kept == {**COMPILE.changes, **NHWC.changes} and after.confirmed
    assert after.total is not None and after.total.value == pytest.approx(1.56, rel=0.01)


def test_one_that_was_killed_measures_the_pair_anew_that_it_was_at(tmp_path: Path) -> None:
    whole = gone_on(opened(), rate)
    places = [number for number, event in enumerate(whole) if isinstance(event, RunStarted)]
    killed = whole[: places[6] + 1]
    recorded = fold(killed)
    at = recorded.runs[recorded.current or ""].spec
    assert at.attempt is not None
    resumption = plan_resumption(shelved(tmp_path, killed))
    assert [(spec.attempt.number, spec.repeat) for spec in resumption.lacking if spec.attempt] == [
        (at.attempt.number, at.repeat)
    ] * 2
    ended = {event.run for event in killed if isinstance(event, RunFinished)}
    assert resumption.settled == ended - {spec.id for spec in resumption.lacking}
    after = went_on(resumption, tmp_path)
    assert after.kept == {**COMPILE.changes, **NHWC.changes} and after.confirmed


def test_one_that_came_to_its_end_lacks_nothing(tmp_path: Path) -> None:
    folder = shelved(tmp_path, gone_on(opened(), rate))
    with pytest.raises(NothingLackingError):
        plan_resumption(folder)
