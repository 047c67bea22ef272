"""Sessions as the program starts them, with the ranks that train."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gpubench_tui.engine.conductor.control import skip_run, stop_session
from gpubench_tui.engine.conductor.start import start_session
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.plan import Device, Plan, RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure, Mode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    RankFinished,
    RunFinished,
    SessionFinished,
    SessionStarted,
    Window,
)
from gpubench_tui.engine.record.journal import read_journal
from gpubench_tui.engine.record.session import fold
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf

from .conftest import PATIENCE, run_spec

pytestmark = pytest.mark.slow

QUICK = Measure(warmup_steps=2, window_seconds=0.05, windows=2, seconds=0.2, target=0.0, hang_seconds=30.0)


def training(number: int, mode: Mode, devices: int) -> RunSpec:
    cores = sorted(os.sched_getaffinity(0))
    return RunSpec(
        id=f"{number:02}-{mode}",
        label=mode,
        mode=mode,
        devices=tuple(Device("cpu", i, f"core {i}", cores=(cores[i % len(cores)],)) for i in range(devices)),
        device_count=devices,
        workloads=(Workload(model="lenet", images=128, batch=8, learning_rate=0.01),),
        measure=QUICK,
    )


def shelve(tmp_path: Path, *runs: RunSpec) -> SessionFolder:
    plan = Plan(preset="test", title="Test", question="Does it hold?", devices=(), runs=runs)
    return Shelf(tmp_path).create("kept", plan, inspect_host(), "")


def test_ranks_train_measure_and_are_told_of(tmp_path: Path) -> None:
    folder = shelve(tmp_path, training(0, "single", 1), training(1, "ddp", 2))
    process = start_session(folder)
    assert process.wait(PATIENCE) == 0, folder.log.read_text()
    events = list(read_journal(folder.journal))
    for run, ranks in (("00-single", 1), ("01-ddp", 2)):
        told = [event for event in events if isinstance(event, RankFinished) and event.run == run]
        assert sorted(event.rank for event in told) == list(range(ranks))
        for rank in range(ranks):
            windows = [e for e in events if isinstance(e, Window) and (e.run, e.rank) == (run, rank)]
            assert len(windows) >= 2
    session = fold(events)
    assert [state.state for state in session.runs.values()] == ["measured", "measured"]
    assert session.outcome == "finished"


def test_a_session_with_nothing_to_run_says_so_without_torch(tmp_path: Path) -> None:
    folder = shelve(tmp_path, run_spec(0, "any", skip="there is no GPU"))
    process = start_session(folder)
    assert process.wait(PATIENCE) == 0
    events = list(read_journal(folder.journal))
    assert [type(event) for event in events] == [SessionStarted, RunFinished, SessionFinished]
    assert folder.log.read_text() == ""
    assert folder.log.stat().st_mode & 0o077 == 0
    assert not stop_session(folder)
    assert not skip_run(folder)


def test_a_session_lives_in_a_process_session_of_its_own(tmp_path: Path) -> None:
    folder = shelve(tmp_path, training(0, "single", 1))
    process = start_session(folder)
    try:
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_a_folder_without_a_plan_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "gpubench_tui.engine.conductor"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    log = (tmp_path / "session.log").read_text()
    assert done.returncode == 1
    assert "plan.json" in log
    assert "Traceback" not in log
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_conducting_imports_no_torch_by_itself() -> None:
    modules = "conductor.conductor, conductor.__main__, conductor.rank_entry"
    code = "import sys\n" + "".join(
        f"import gpubench_tui.engine.{module.strip()}\n" for module in modules.split(",")
    )
    code += "assert not {'torch', 'numpy', 'textual'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_what_is_asked_while_a_session_begins_is_heard(tmp_path: Path, number: signal.Signals) -> None:
    folder = shelve(tmp_path, training(0, "single", 1))
    process = start_session(folder)
    deadline = time.monotonic() + PATIENCE
    while not folder.is_running():
        assert time.monotonic() < deadline
    process.send_signal(number)  # its journal has hardly been opened
    status = process.wait(PATIENCE)
    assert fold(read_journal(folder.journal)).outcome == (
        "stopped" if number == signal.SIGTERM else "finished"
    )
    assert status == (130 if number == signal.SIGTERM else 0)
