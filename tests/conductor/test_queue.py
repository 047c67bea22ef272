"""The queue of sessions, with real processes; most plans are empty, so that no test waits for torch."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gpubench_tui.engine.conductor.control import stop_session
from gpubench_tui.engine.conductor.start import start_session
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.plan import Device, Plan, RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf

from .conftest import PATIENCE, run_spec

pytestmark = pytest.mark.slow

Shelve = Callable[..., SessionFolder]
"""Puts a session of one run on the shelf, by default of a run that is skipped."""


@pytest.fixture
def shelve(tmp_path: Path) -> Shelve:
    def shelve(spec: RunSpec | None = None) -> SessionFolder:
        runs = (spec or run_spec(0, "any", skip="there is no GPU"),)
        plan = Plan(preset="test", title="Test", question="Does it hold?", devices=(), runs=runs)
        return Shelf(tmp_path).create("kept", plan, inspect_host(), "")

    return shelve


@pytest.fixture
def running(shelve: Shelve) -> Iterator[SessionFolder]:
    """A session that the test itself holds, as a session process would."""
    folder = shelve()
    with folder.hold():
        yield folder


def long_training() -> RunSpec:
    core = min(os.sched_getaffinity(0))
    return RunSpec(
        id="00-single",
        label="single",
        mode="single",
        devices=(Device("cpu", 0, "core", cores=(core,)),),
        device_count=1,
        workloads=(Workload(model="lenet", images=128, batch=8, learning_rate=0.01),),
        measure=Measure(warmup_steps=2, window_seconds=0.05, windows=2, seconds=100.0, target=0.0),
    )


def states(*folders: SessionFolder) -> list[str]:
    ended = [read_session(folder.journal).outcome if folder.journal.exists() else None for folder in folders]
    return [folder.state(outcome) for folder, outcome in zip(folders, ended, strict=True)]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_sessions_run_one_after_the_other_and_wait_for_their_turn(
    shelve: Shelve, running: SessionFolder
) -> None:
    first, second, third = shelve(), shelve(), shelve()
    process = start_session(first, second, third, after=[running])
    assert states(running, first, second, third) == ["running", "waiting", "waiting", "waiting"]
    assert first.goes_on() and not first.is_running()
    assert [folder and folder.name for folder in (first.next_in_queue(), second.next_in_queue())] == [
        second.name,
        third.name,
    ]
    assert third.next_in_queue() is None
    process.kill()
    process.wait()


def test_a_row_begins_when_what_runs_before_it_has_ended(shelve: Shelve) -> None:
    before, first, second = shelve(), shelve(), shelve()
    with before.hold():
        process = start_session(first, second, after=[before])
        assert states(first, second) == ["waiting", "waiting"]
    assert process.wait(PATIENCE) == 0, first.log.read_text()
    assert states(first, second) == ["finished", "finished"]
    ended = [read_session(folder.journal) for folder in (first, second)]
    assert ended[0].unix_time + ended[0].elapsed <= ended[1].unix_time
    assert first.next_in_queue() is None
    assert not first.log.read_text() + second.log.read_text()


def test_stopping_one_that_waits_takes_it_out_of_the_row(shelve: Shelve) -> None:
    before, first, second, third = (shelve() for _ in range(4))
    with before.hold():
        process = start_session(first, second, third, after=[before])
        assert stop_session(second)
        assert states(first, second, third) == ["waiting", "stopped", "waiting"]
        following = first.next_in_queue()
        assert following is not None and following.name == third.name
        assert not stop_session(second)
    assert process.wait(PATIENCE) == 0
    assert states(first, second, third) == ["finished", "stopped", "finished"]
    assert read_session(second.journal).runs["00-any"].reason == "there is no GPU"


@pytest.mark.parametrize(("number", "left"), [(signal.SIGTERM, "stopped"), (signal.SIGKILL, "interrupted")])
def test_the_row_goes_on_when_a_session_of_it_is_stopped_or_killed(
    shelve: Shelve, number: signal.Signals, left: str
) -> None:
    first, second = shelve(long_training()), shelve()
    process = start_session(first, second)
    wait_until(first.is_running)
    pid = first.pid()
    assert pid is not None and pid != process.pid
    wait_until(first.journal.exists)
    os.kill(pid, number)
    process.wait(PATIENCE)
    assert states(first, second) == [left, "finished"]


def test_what_waits_in_a_row_that_was_killed_is_interrupted(shelve: Shelve, running: SessionFolder) -> None:
    first, second = shelve(), shelve()
    process = start_session(first, second, after=[running])
    process.kill()
    process.wait(PATIENCE)
    assert states(first, second) == ["interrupted", "interrupted"]


def test_a_single_session_can_be_stopped_before_it_begins(shelve: Shelve) -> None:
    folder = shelve(long_training())
    process = start_session(folder)
    assert stop_session(folder)
    process.wait(PATIENCE)
    assert states(folder) == ["stopped"]
    assert not folder.goes_on()


def test_a_session_runs_once(shelve: Shelve) -> None:
    folder = shelve()
    assert start_session(folder).wait(PATIENCE) == 0
    assert start_session(folder).wait(PATIENCE) == 1
    assert "has a journal already" in folder.log.read_text()
