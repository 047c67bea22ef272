"""Tunes: a plan that grows by what was recorded, until nothing follows, it is stopped, or it breaks."""

from __future__ import annotations

import pytest
from gpubench_tui.engine.conductor import growth, same_machine
from gpubench_tui.engine.conductor.control import skip_run, stop_session
from gpubench_tui.engine.conductor.resume import NothingLackingError, plan_resumption
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Attempt, Tune
from gpubench_tui.engine.record.events import RunsAdded, Steps
from gpubench_tui.engine.record.exit_status import exit_status
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.engine.record.takeover import lacking_runs
from msgspec.structs import replace

from . import growing
from .conftest import Session, Start, run_spec

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nursery")]


def first(behaviour: str = "behave") -> RunSpec:
    return replace(run_spec(0, behaviour, ranks=1), attempt=Attempt(number=0, purpose="start"))


@pytest.fixture
def tune(start: Start, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start a tune that makes these attempts, one after the other, after a run of the behaviour."""
    monkeypatch.setenv("GROWS", "1")

    def _tune(attempts: str, behaviour: str = "behave") -> Session:
        return start(first(behaviour), title=attempts, tune=Tune())

    return _tune


def states(session: Session) -> dict[str, str]:
    return {name: run.state for name, run in read_session(session.folder.journal).runs.items()}


def test_a_plan_grows_until_nothing_follows_and_a_change_may_fail(tune: Start) -> None:
    session = tune("behave|memory memory|behave behave|nameless behave")
    assert session.wait() == 1, "the side without the change has failed, which nobody reckoned with"
    assert states(session) == {
        "00-behave": "measured",
        "10-behave": "measured",
        "11-memory": "failed",
        "20-memory": "failed",
        "21-behave": "measured",
        "30-behave": "measured",
        "31-nameless": "failed",
        "40-behave": "measured",
    }
    added = [[spec.id for spec in event.runs] for event in session.events() if isinstance(event, RunsAdded)]
    assert added == [
        ["10-behave", "11-memory"],
        ["20-memory", "21-behave"],
        ["30-behave", "31-nameless"],
        ["40-behave"],
    ]
    recorded = read_session(session.folder.journal)
    assert recorded.outcome == "finished" and exit_status(recorded) == 1
    del recorded.runs["20-memory"]
    assert exit_status(recorded) == 0, "memory that does not suffice for a change is a result"


def test_with_no_failure_but_of_changes_the_status_says_so(tune: Start) -> None:
    assert tune("behave|memory").wait() == 0


def test_where_the_start_fails_nothing_follows(tune: Start) -> None:
    session = tune("behave|behave", "nameless")
    assert session.wait() == 1
    assert states(session) == {"00-nameless": "failed"}


@pytest.mark.parametrize(
    ("attempts", "reason"),
    [
        ("behave|behave never", "ValueError: there is no next run"),
        ("again", "RuntimeError: the tune asked for runs that it has measured: 00-behave"),
    ],
)
def test_what_goes_wrong_in_between_ends_the_session_in_a_sentence(
    attempts: str, reason: str, tune: Start
) -> None:
    session = tune(attempts)
    assert session.wait() == 1
    recorded = read_session(session.folder.journal)
    assert (recorded.outcome, recorded.reason) == ("interrupted", reason)
    assert {run.state for run in recorded.runs.values()} == {"measured"}


def test_a_skipped_side_is_left_a_stopped_tune_adds_nothing_and_both_go_on_when_resumed(
    tune: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = tune("behave|steady behave|steady behave|behave")
    session.until(lambda event: isinstance(event, Steps) and event.run == "11-steady")
    assert skip_run(session.folder)
    session.until(lambda event: isinstance(event, Steps) and event.run == "21-steady")
    assert stop_session(session.folder)
    assert session.wait() == 130
    assert states(session) == {
        "00-behave": "measured",
        "10-behave": "measured",
        "11-steady": "skipped",
        "20-behave": "measured",
        "21-steady": "stopped",
    }

    recorded = read_session(session.folder.journal)
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: recorded.host)
    monkeypatch.setattr(growth, "_next_runs", growing.next_runs)
    resumption = plan_resumption(session.folder, minutes=2.0)
    assert resumption.plan.tune == Tune(minutes=2.0)
    assert [spec.id for spec in resumption.lacking] == ["20-behave", "21-steady"], "they are one pair"
    assert resumption.settled == {"00-behave", "10-behave", "11-steady"}
    folder = resumption.create(Shelf(session.folder.path.parent), "again")
    again = Session(folder, session.nursery)
    again.until(lambda event: isinstance(event, Steps) and event.run == "21-steady")
    assert skip_run(folder)
    assert again.wait() == 0
    assert states(again) == {
        "00-behave": "measured",
        "10-behave": "measured",
        "11-steady": "skipped",
        "20-behave": "measured",
        "21-steady": "skipped",
        "30-behave": "measured",
        "31-behave": "measured",
    }
    taken = {name for name, run in read_session(folder.journal).runs.items() if run.taken_over}
    assert taken == resumption.settled
    with pytest.raises(NothingLackingError):
        plan_resumption(folder)
    monkeypatch.setattr(growth, "_next_runs", lambda session: (first(),) if not session.elapsed else ())
    assert not plan_resumption(folder).lacking, "with its time once more it would go on"


def test_on_a_full_disk_it_adds_nothing_more_and_says_why(tune: Start) -> None:
    session = tune("behave|steady behave|behave")
    session.until(lambda event: isinstance(event, Steps) and event.run == "11-steady")
    (session.folder.path / "full").touch()
    assert session.wait() == 1
    recorded = read_session(session.folder.journal)
    assert recorded.outcome == "interrupted" and "No space left on device" in recorded.reason
    assert recorded.runs.keys() == {"00-behave", "10-behave", "11-steady"}
    assert recorded.runs["11-steady"].state == "stopped"
    assert lacking_runs(recorded) == ["10-behave", "11-steady"]
