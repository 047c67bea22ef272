"""Whole sessions: real processes, whose ranks behave or misbehave as their run's name says."""

from __future__ import annotations

import os
import shutil
import signal

import psutil
import pytest
from driving.terminal import wait_for
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.conductor.control import skip_run, stop_session
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    SAME_WAY,
    Event,
    LogMessage,
    RankStarted,
    RunFinished,
    RunStarted,
    Sampled,
    SessionFinished,
    SessionStarted,
    Steps,
)
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.takeover import lacking_runs
from msgspec.structs import replace

from .conftest import Start, run_spec, wait_until_gone

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nursery")]


def steps_of(events: list[Event], run: str, rank: int) -> int:
    return sum(len(e.seconds) for e in events if isinstance(e, Steps) and (e.run, e.rank) == (run, rank))


def test_a_plan_is_executed_in_order_and_told_whole(start: Start) -> None:
    session = start(
        run_spec(0, "ddp"),
        run_spec(1, "behave", skip="there is no third GPU"),
        run_spec(2, "abrupt"),
        run_spec(3, "behave", ranks=1),
        run_spec(4, "flood"),
    )
    assert session.wait() == 0
    events = session.events()
    assert isinstance(events[0], SessionStarted)
    assert events[0].pid == session.process.pid
    assert isinstance(events[-1], SessionFinished)
    assert events[-1].outcome == "finished"
    order = [(type(e), e.run) for e in events if isinstance(e, RunStarted | RunFinished)]
    assert order == [
        (RunStarted, "00-ddp"),
        (RunFinished, "00-ddp"),
        (RunFinished, "01-behave"),
        (RunStarted, "02-abrupt"),
        (RunFinished, "02-abrupt"),
        (RunStarted, "03-behave"),
        (RunFinished, "03-behave"),
        (RunStarted, "04-flood"),
        (RunFinished, "04-flood"),
    ]
    ends = session.ends()
    outcomes = [ends[run].outcome for run in sorted(ends)]
    assert outcomes == ["measured", "skipped", "measured", "measured", "measured"]
    assert ends["01-behave"].reason == "there is no third GPU"
    assert steps_of(events, "00-ddp", 0) == steps_of(events, "00-ddp", 1) == 6
    # More messages at once than the queue holds: none is lost, the last included.
    assert steps_of(events, "04-flood", 0) == steps_of(events, "04-flood", 1) == 3000
    for run in ("00-ddp", "04-flood"):
        last_word = max(i for i, e in enumerate(events) if isinstance(e, Steps) and e.run == run)
        assert last_word < next(i for i, e in enumerate(events) if e == ends[run])
    assert any(isinstance(event, Sampled) for event in events)
    said = [event for event in events if isinstance(event, LogMessage)]
    assert {event.level for event in said} == {"info"}
    assert [event.text for event in said if event.run == "00-ddp"] == ["ddp started", "ddp: enough"]
    assert not session.folder.is_running()


def test_a_second_like_failure_ends_what_would_fail_the_same_way(start: Start) -> None:
    other = replace(run_spec(3, "behave", ranks=1), workloads=(Workload(model="vit-tiny"),))
    session = start(run_spec(0, "raising"), run_spec(1, "raising"), run_spec(2, "behave"), other)
    assert session.wait() == 1
    reason = f"{SAME_WAY}: ValueError: the sky is green"
    ends = session.ends()
    assert [end.outcome for _, end in sorted(ends.items())] == ["failed", "failed", "skipped", "measured"]
    assert ends["02-behave"].reason == reason
    said = [event.text for event in session.events() if isinstance(event, LogMessage) and not event.run]
    assert said == [reason]
    recorded = read_session(session.folder.journal)
    assert recorded.runs["02-behave"].started_at is None
    assert lacking_runs(recorded) == ["00-raising", "01-raising", "02-behave"], "to be measured on resuming"
    assert analyse(recorded).headline == (
        "Failed: ValueError: the sky is green (2 of 4 runs failed, 1 would fail the same way)"
    )


def test_what_befalls_a_rank_ends_its_run_and_not_the_plan(start: Start) -> None:
    session = start(
        run_spec(0, "work_on"),
        run_spec(1, "raising"),
        run_spec(2, "peer"),
        run_spec(3, "memory"),
        run_spec(4, "slip", ranks=1),
        run_spec(5, "cut"),
        run_spec(6, "hanging", hang=1.0),
        run_spec(7, "halted", hang=1.0),
        run_spec(8, "aborting"),
        run_spec(9, "behave"),
    )
    victim = next(e for e in session.until(lambda e: isinstance(e, RankStarted), count=2) if e.rank == 1)
    session.until(lambda event: isinstance(event, Steps), count=4)
    os.kill(victim.pid, signal.SIGKILL)
    assert session.wait() == 1
    failures = {run: end.failure for run, end in session.ends().items() if end.failure}
    assert {run: (failure.kind, failure.rank) for run, failure in failures.items()} == {
        "00-work_on": ("killed", 1),
        "01-raising": ("raised", 1),
        "02-peer": ("killed", 1),
        "03-memory": ("out of memory", 0),
        "04-slip": ("raised", 0),
        "05-cut": ("killed", 1),
        "06-hanging": ("hung", 1),
        "07-halted": ("hung", 1),
        "08-aborting": ("raised", 1),
    }
    assert session.ends()["09-behave"].outcome == "measured"

    raising = failures["01-raising"]
    assert raising.message == "ValueError: the sky is green"
    log = session.folder.path / raising.log
    assert "the sky is green" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    assert "SIGKILL" in failures["02-peer"].message
    assert failures["04-slip"].message.endswith("last line of its log: I have had enough")
    aborting = "aborted: CUDA error: device-side assert triggered (assertion t < n_classes); "
    assert failures["08-aborting"].message.startswith(aborting)
    # Half a message blocked the reader of rank 1; rank 0 was heard all the same.
    assert steps_of(session.events(), "05-cut", 0) > 1
    hanging = failures["06-hanging"]
    assert hanging.message.startswith("no progress for ")
    assert "after 3 steps, in sleep_for_ever (ranks.py:" in hanging.message
    assert "sleep_for_ever" in (session.folder.path / hanging.log).read_text()


def test_what_befalls_the_detail_phase_costs_no_measurement(start: Start) -> None:
    session = start(
        run_spec(0, "lost"), run_spec(1, "troubled"), run_spec(2, "stuck", hang=1.0), run_spec(3, "followed")
    )
    assert session.wait() == 0
    folded = read_session(session.folder.journal)
    assert {run.state for run in folded.runs.values()} == {"measured"}
    lost, troubled, stuck, followed = folded.runs.values()
    assert lost.detail_trouble.startswith("rank 1: killed by SIGKILL")
    assert (troubled.detail_trouble, troubled.rank(1).finished.detail_trouble) == ("", "out of memory")
    assert stuck.detail_trouble.startswith("rank 1: no progress for ")
    assert "sleep_for_ever" in stuck.detail_trouble
    assert followed.detail_trouble == ""
    assert [followed.rank(rank).finished.detail_trouble for rank in (0, 1)] == ["out of memory"] * 2


def test_runs_are_skipped_and_stopped_and_leave_nothing_behind(start: Start) -> None:
    session = start(
        run_spec(0, "family"),
        run_spec(1, "work_on", ranks=1),
        run_spec(2, "deaf"),
        run_spec(3, "deaf"),
        run_spec(4, "behave"),
    )
    session.until(lambda event: isinstance(event, Steps) and event.run == "01-work_on")
    log = (session.folder.logs / "00-family-rank0.log").read_text()
    assert not psutil.pid_exists(int(log.split("left behind ")[1].split()[0]))
    assert len(session.processes()) == 5  # tracker, guardian, fork server, one rank and that rank's fork

    second = session.started_again()
    assert second.wait() == 1
    assert session.process.poll() is None

    os.kill(session.process.pid, signal.SIGHUP)  # of a terminal that is gone: no reason to end
    assert skip_run(session.folder)
    session.until(lambda event: isinstance(event, Steps) and event.run == "02-deaf")
    assert skip_run(session.folder)
    session.until(lambda event: isinstance(event, Steps) and event.run == "03-deaf")
    processes = session.processes()
    os.kill(session.process.pid, signal.SIGINT)
    assert stop_session(session.folder)  # asked twice, it does not wait for those that do not heed SIGTERM
    assert session.wait() == 130
    wait_until_gone(processes)
    ends = [(end.outcome, end.reason) for end in session.ends().values()]
    assert ends == [
        ("measured", ""),
        ("skipped", "skipped by the user"),
        ("skipped", "skipped by the user"),
        ("stopped", "stopped by the user"),
        ("stopped", "the session ended before this run began"),
    ]
    assert session.events()[-1].outcome == "stopped"
    assert not stop_session(session.folder)
    assert not skip_run(session.folder)


def test_a_session_stopped_before_its_first_rank_is_there_ends_at_once(start: Start) -> None:
    session = start(run_spec(0, "behave"))
    session.until(lambda event: isinstance(event, RunStarted))
    assert stop_session(session.folder)
    assert session.wait() == 130
    assert session.ends()["00-behave"].outcome == "stopped"


def test_no_process_outlives_a_killed_session(start: Start) -> None:
    session = start(run_spec(0, "work_on"))
    session.until(lambda event: isinstance(event, Steps), count=2)
    wait_for(lambda: len(session.processes()) == 7)  # tracker, guardian, fork server, two ranks and forks
    processes = session.processes()
    session.process.kill()
    wait_until_gone(processes)
    assert not session.folder.is_running()
    assert not stop_session(session.folder)


def test_a_session_whose_journal_cannot_be_written_ends(start: Start) -> None:
    session = start(run_spec(0, "work_on"), run_spec(1, "behave"))
    session.until(lambda event: isinstance(event, Steps), count=2)
    processes = session.processes()
    size = session.folder.journal.stat().st_size
    psutil.Process(session.process.pid).rlimit(psutil.RLIMIT_FSIZE, (size + 100, size + 100))
    assert session.wait() == 1
    wait_until_gone(processes)


def test_ranks_do_not_hang_while_the_disk_does(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STALLS", "4")
    session = start(run_spec(0, "steady", hang=2.0))
    session.wait()
    end = session.ends()["00-steady"]
    assert end.outcome == "measured", end.failure


def test_runs_that_cannot_be_started_fail_and_the_session_ends_in_order(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACELESS", "1")
    session = start(run_spec(0, "work_on", ranks=1), run_spec(1, "behave"), run_spec(2, "behave"))
    session.until(lambda event: isinstance(event, Steps))
    mark = psutil.Process(session.process.pid).children()[0].environ()["GPUBENCH_TUI_SESSION"]
    shutil.rmtree(mark)
    assert skip_run(session.folder)
    assert session.wait() == 1
    ends = session.ends()
    assert [end.outcome for end in ends.values()] == ["skipped", "failed", "failed"]
    assert ends["01-behave"].failure.kind == "launch"
    assert "could not be started: there is no folder for temporary files" in ends["01-behave"].failure.message
    assert session.events()[-1].outcome == "finished"
