"""Resuming a session: what is taken over, how it is marked, and when it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import recorded
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.conductor import same_machine
from gpubench_tui.engine.conductor.recorder import program_version, write_unstarted
from gpubench_tui.engine.conductor.resume import CannotResumeError, NothingLackingError, plan_resumption
from gpubench_tui.engine.host.differences import host_differences
from gpubench_tui.engine.record.events import RunStarted, SessionFinished, SessionStarted
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import Session, read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from msgspec.structs import replace


def interrupted(shelf: Shelf, name: str = "old", runs: int = 2) -> SessionFolder:
    """A session whose process was killed in the midst of a run, once so many others were measured."""
    folder = shelf.create(name, recorded.plan(2), recorded.host(2), "title = 'as used'\n")
    journal = Journal(folder.journal)
    started = 0
    for event in recorded.session_events(2):
        if isinstance(event, SessionFinished):
            break
        started += isinstance(event, RunStarted)
        is_first = isinstance(event, SessionStarted)
        journal.append(replace(event, program=program_version()) if is_first else event)
        if started > runs:
            break
    journal.close()
    return folder


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A shelf on the machine with two GPUs."""
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: recorded.host(2))
    return Shelf(tmp_path)


def resumed(shelf: Shelf, old: SessionFolder, name: str = "new") -> tuple[SessionFolder, Session]:
    """The session that resumes that one, which ends before it measures anything."""
    folder = plan_resumption(old).create(shelf, name)
    write_unstarted(folder, "stopped", SessionFinished(at=0.0, outcome="stopped"))
    return folder, read_session(folder.journal)


def test_a_resumed_session_holds_what_was_measured_and_says_where(shelf: Shelf) -> None:
    old = interrupted(shelf)
    before, (folder, session) = read_session(old.journal), resumed(shelf, old)
    assert session.resumes == old.name
    assert not folder.earlier.exists() and folder.preset.read_text() == "title = 'as used'\n"
    taken = [run for run in session.runs.values() if run.taken_over]
    assert len(taken) == 2 and {run.taken_over for run in taken} == {old.name}
    assert all(run.finished_at <= 0 and run.state == "measured" for run in taken)
    assert session.elapsed == 0.0, "the time of the new session counts"
    assert sum(run.state == "stopped" for run in session.runs.values()) >= 1
    figures = {result.run: result for result in analyse(before).results}
    for result in analyse(session).results:
        if result.taken_over:
            assert result.throughput == figures[result.run].throughput
            assert [gpu.power_watts for gpu in result.gpus] == [
                gpu.power_watts for gpu in figures[result.run].gpus
            ]
            assert f"taken over from {old.name}" in result.notes
    assert f"It resumes `{old.name}`" in markdown(analyse(session))


def test_one_that_was_resumed_can_be_resumed_and_names_who_measured(shelf: Shelf) -> None:
    old = interrupted(shelf)
    second, _ = resumed(shelf, old, "second")
    _, third = resumed(shelf, second, "third")
    assert {run.taken_over for run in third.runs.values() if run.state == "measured"} == {old.name}
    assert third.resumes == second.name


def test_where_the_journal_is_lost_the_whole_plan_is_measured(shelf: Shelf) -> None:
    old = interrupted(shelf)
    old.journal.unlink()
    resumption = plan_resumption(old)
    assert resumption.lacking == recorded.plan(2).to_run and not resumption.settled


def test_a_session_that_lacks_nothing_says_so(shelf: Shelf) -> None:
    with pytest.raises(NothingLackingError, match=r"all runs of .* were measured"):
        plan_resumption(interrupted(shelf, runs=99))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(recorded.host(2), name="other"), "host: other against bench01"),
        (recorded.host(0), "GPU 0: none against NVIDIA H200"),
        (
            replace(recorded.host(2), software=replace(recorded.host(2).software, torch="2.14.0")),
            "torch: 2.14.0 against 2.13.0",
        ),
    ],
    ids=["another machine", "no GPUs", "another torch"],
)
def test_on_what_is_not_comparable_it_is_refused(
    now: object, said: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = interrupted(shelf)
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: now)
    with pytest.raises(CannotResumeError, match="not be comparable") as refused:
        plan_resumption(old)
    assert said in str(refused.value)


def test_other_switches_and_versions_are_refused_and_running_sessions_too(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = interrupted(shelf)
    with (
        old.hold(),
        pytest.raises(CannotResumeError, match="is running: it can be resumed once it has ended"),
    ):
        plan_resumption(old)
    monkeypatch.setattr(same_machine, "program_version", lambda: "99")
    with pytest.raises(CannotResumeError, match="gpubench-tui: 99 against"):
        plan_resumption(old)
    before, now = (replace(recorded.host(2), variables=value) for value in ("none", "NCCL_P2P_DISABLE=1"))
    assert host_differences(before, now) == ["environment: NCCL_P2P_DISABLE=1 against none"]
    assert host_differences(recorded.host(2), now) == []
