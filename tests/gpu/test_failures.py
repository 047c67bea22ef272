"""Failures as GPUs cause them: the reason is told, the next run is measured, and nothing is left."""

from __future__ import annotations

import time

import pytest
from gpubench_tui.engine.host.inspect import inspect_host

from .conftest import Note
from .machine import Machine
from .recorded import RecordedSession

LEFT_BYTES = 256 << 20
FREE_SECONDS = 10.0


def test_out_of_memory_is_told(session: RecordedSession, note: Note) -> None:
    failure = session["fails-memory"].result.failure
    assert failure is not None
    note(failure.message)
    assert failure.kind == "out of memory"
    assert "out of memory" in failure.message


@pytest.mark.usefixtures("gpu")
def test_a_device_side_assert_under_nccl_is_told(session: RecordedSession, note: Note) -> None:
    failure = session["fails-assert"].result.failure
    assert failure is not None
    note(f"{failure.kind}: {failure.message}")
    assert "assert" in failure.message


def test_a_device_that_never_answers_is_told_as_hung(session: RecordedSession, note: Note) -> None:
    failure = session["fails-endless"].result.failure
    assert failure is not None
    note(failure.message)
    assert failure.kind == "hung"
    assert "no progress" in failure.message


def test_a_failure_in_the_detail_phase_leaves_the_figures_standing(
    session: RecordedSession, note: Note
) -> None:
    run = session["fails-in-detail"]
    note("; ".join(run.result.notes))
    assert run.result.state == "measured", run.result.failure
    assert run.result.windows
    assert any("fails where it is looked at" in said for said in run.result.notes)


def test_the_run_after_failures_is_measured(session: RecordedSession) -> None:
    session["after-failures"].assert_trained()


@pytest.mark.usefixtures("gpu")
def test_the_memory_of_the_gpu_is_free_again(session: RecordedSession, machine: Machine, note: Note) -> None:
    assert session["after-failures"].result.state == "measured"
    deadline = time.monotonic() + FREE_SECONDS
    while True:  # a driver frees the memory of a process some time after its end
        used = [gpu.memory_used_bytes or 0 for gpu in inspect_host().gpus]
        more = [now - (gpu.memory_used_bytes or 0) for now, gpu in zip(used, machine.host.gpus, strict=True)]
        if max(more) < LEFT_BYTES or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    note(f"at most {max(more) / 2**20:.0f} MiB more than before")
    assert max(more) < LEFT_BYTES


def test_no_process_outlives_the_session(session: RecordedSession) -> None:
    assert session.outlived == []


def test_nothing_listens_beyond_loopback(session: RecordedSession) -> None:
    assert {address for _, address in session.listened} == set()
    if session.stopped:
        pytest.skip("the budget was over before all runs")
