"""A rank's first lines, in a process of their own and without torch."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from gpubench_tui.engine.conductor.rank_entry import Entered, enter
from gpubench_tui.engine.plan.assignment import Assignment
from gpubench_tui.engine.record.events import Event, RankFailed

from .conftest import PATIENCE, run_spec


def enter_as_rank_1(tmp_path: Path, worker: str) -> tuple[int | None, list[Event], str]:
    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(), context.Queue()]
    assignment = Assignment(
        run=run_spec(0, "test"),
        started=0.0,
        logs=str(tmp_path),
        rendezvous=str(tmp_path),
        cache=str(tmp_path),
    )
    process = context.Process(target=enter, args=(worker, assignment, queues))
    process.start()
    messages = [queues[1].get(timeout=PATIENCE), queues[1].get(timeout=PATIENCE)]
    process.join(PATIENCE)
    assert queues[0].empty()
    assert messages[0] == Entered(process.pid)
    return process.exitcode, messages[1], (tmp_path / assignment.log_name(1)).read_text()


def test_a_worker_that_cannot_be_imported_is_a_failed_launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    status, (failed,), log = enter_as_rank_1(tmp_path, "a_module_that_is_nowhere:work")
    assert status == 1
    assert isinstance(failed, RankFailed)
    assert (failed.kind, failed.rank) == ("launch", 1)
    assert failed.message == "ModuleNotFoundError: No module named 'a_module_that_is_nowhere'"
    assert "Traceback" in log


def test_what_a_worker_lets_through_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    status, (failed,), log = enter_as_rank_1(tmp_path, "os:getenv")  # cannot be called like a worker
    assert status == 1
    assert failed.kind == "raised"
    assert failed.message.startswith("TypeError: ")
    assert "Traceback" in log
