"""Whole sessions: real processes, whose ranks behave or misbehave as their run's name says."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from gpubench_tui.engine.conductor import skip, stop
from gpubench_tui.engine.record.events import (
    RankStarted,
    RunFinished,
    RunStarted,
    Said,
    Sampled,
    SessionFinished,
    SessionStarted,
    Steps,
)

from .conftest import run_spec, wait_until_gone


def steps_of(events, run, rank):
    return sum(len(e.seconds) for e in events if isinstance(e, Steps) and (e.run, e.rank) == (run, rank))


def test_a_plan_is_executed_in_order_and_told_whole(start):
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
    assert not [event for event in events if isinstance(event, Said)]
    assert not session.folder.is_running()


def test_what_befalls_a_rank_ends_its_run_and_not_the_plan(start):
    session = start(
        run_spec(0, "raising"),
        run_spec(1, "peer"),
        run_spec(2, "memory"),
        run_spec(3, "slip", ranks=1),
        run_spec(4, "cut"),
        run_spec(5, "behave"),
    )
    assert session.wait() == 1
    ends = {run: end.failure for run, end in session.ends().items()}
    seen = {run: (failure.kind, failure.rank) for run, failure in ends.items() if failure}
    assert seen == {
        "00-raising": ("raised", 1),
        "01-peer": ("killed", 1),
        "02-memory": ("out of memory", 0),
        "03-slip": ("raised", 0),
        "04-cut": ("killed", 1),
    }
    assert ends["00-raising"].message == "ValueError: the sky is green"
    log = session.folder.path / ends["00-raising"].log
    assert "the sky is green" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    assert "SIGKILL" in ends["01-peer"].message
    assert ends["03-slip"].message.endswith("its last words: I have had enough")
    # The other rank was heard while the cut message blocked its reader.
    assert steps_of(session.events(), "04-cut", 0) > 1
    assert session.ends()["05-behave"].outcome == "measured"


@pytest.mark.parametrize("behaviour", ["hanging", "halted"])
def test_a_rank_that_hangs_is_found_blamed_and_killed(start, behaviour):
    session = start(run_spec(0, behaviour, hang=1.0))
    assert session.wait() == 1
    failure = session.ends()[f"00-{behaviour}"].failure
    assert (failure.kind, failure.rank) == ("hung", 1)
    assert failure.message.startswith("no progress for ")
    if behaviour == "hanging":  # one that is halted cannot write its stacks
        assert "after 3 steps, in sleep_for_ever (ranks.py:" in failure.message
        assert "sleep_for_ever" in (session.folder.path / failure.log).read_text()


def test_a_rank_killed_from_outside_takes_its_run_along(start):
    session = start(run_spec(0, "work_on"), run_spec(1, "behave"))
    started = session.until(lambda event: isinstance(event, RankStarted), count=2)
    victim = next(event for event in started if event.rank == 1)
    session.until(lambda event: isinstance(event, Steps), count=4)
    os.kill(victim.pid, signal.SIGKILL)
    assert session.wait() == 1
    failure = session.ends()["00-work_on"].failure
    assert (failure.kind, failure.rank) == ("killed", 1)
    assert session.ends()["01-behave"].outcome == "measured"


def test_a_worker_that_cannot_be_imported_is_a_failed_launch(start, monkeypatch):
    monkeypatch.setenv("WORKER", "ranks_that_are_nowhere:work")
    session = start(run_spec(0, "behave"))
    assert session.wait() == 1
    failure = session.ends()["00-behave"].failure
    assert failure.kind == "launch"
    assert "ranks_that_are_nowhere" in failure.message


def test_nothing_of_a_run_is_left_behind(start):
    session = start(run_spec(0, "family"), run_spec(1, "work_on", ranks=1))
    session.until(lambda event: isinstance(event, Steps) and event.run == "01-work_on")
    log = (session.folder.logs / "00-family-rank0.log").read_text()
    left = int(log.split("left behind ")[1].split()[0])
    assert not psutil.pid_exists(left)
    processes = session.processes()
    # The fork server, its tracker, one rank and that rank's fork.
    assert len(processes) == 4
    assert stop(session.folder)
    session.wait()
    wait_until_gone(processes)


def test_skip_then_stop_then_nothing_runs(start):
    session = start(run_spec(0, "work_on"), run_spec(1, "work_on"), run_spec(2, "behave"))
    session.until(lambda event: isinstance(event, Steps) and event.run == "00-work_on")
    assert skip(session.folder)
    session.until(lambda event: isinstance(event, Steps) and event.run == "01-work_on")
    processes = session.processes()
    assert stop(session.folder)
    assert session.wait() == 130
    ends = session.ends()
    assert (ends["00-work_on"].outcome, ends["00-work_on"].reason) == ("skipped", "skipped by the user")
    assert (ends["01-work_on"].outcome, ends["01-work_on"].reason) == ("stopped", "stopped by the user")
    assert (ends["02-behave"].outcome, ends["02-behave"].reason) == (
        "stopped",
        "the session was stopped before it",
    )
    assert session.events()[-1].outcome == "stopped"
    wait_until_gone(processes)
    assert not stop(session.folder)
    assert not skip(session.folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ranks_that_do_not_heed_sigterm_are_killed(start, number):
    session = start(run_spec(0, "deaf"))
    session.until(lambda event: isinstance(event, Steps), count=2)
    os.kill(session.process.pid, signal.SIGHUP)  # of a terminal that is gone: no reason to end
    os.kill(session.process.pid, number)
    if number == signal.SIGTERM:
        os.kill(session.process.pid, number)
    assert session.wait() == 130
    assert session.ends()["00-deaf"].outcome == "stopped"


def test_a_session_stopped_before_its_first_rank_is_there_ends_at_once(start):
    session = start(run_spec(0, "behave"))
    session.until(lambda event: isinstance(event, RunStarted))
    assert stop(session.folder)
    assert session.wait() == 130
    assert session.ends()["00-behave"].outcome == "stopped"


def test_no_process_outlives_a_killed_session(start):
    session = start(run_spec(0, "work_on"))
    session.until(lambda event: isinstance(event, Steps), count=2)
    processes = session.processes()
    assert len(processes) == 6  # fork server, tracker, two ranks and their forks
    session.process.kill()
    wait_until_gone(processes)
    assert not session.folder.is_running()
    assert not stop(session.folder)


def test_a_session_whose_journal_cannot_be_written_ends(start):
    session = start(run_spec(0, "work_on"), run_spec(1, "behave"))
    session.until(lambda event: isinstance(event, Steps), count=2)
    processes = session.processes()
    size = session.folder.journal.stat().st_size
    psutil.Process(session.process.pid).rlimit(psutil.RLIMIT_FSIZE, (size + 100, size + 100))
    assert session.wait() == 1
    wait_until_gone(processes)


def test_a_session_is_run_once_at_a_time(start):
    session = start(run_spec(0, "work_on", ranks=1))
    session.until(lambda event: isinstance(event, Steps))
    second = type(session)(session.folder)
    assert second.wait() == 1
    assert session.process.poll() is None
    stop(session.folder)
    assert session.wait() == 130
