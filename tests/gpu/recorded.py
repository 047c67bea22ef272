"""Session of the acceptance: run like any other, watched from outside, and read from its journal."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.results.result import Result
from gpubench_tui.engine.conductor.control import stop_session
from gpubench_tui.engine.conductor.start import start_session
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.record.events import Steps
from gpubench_tui.engine.record.journal import read_journal
from gpubench_tui.engine.record.session import RunState, read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf

from .machine import Machine

LOOPBACK = ("127.", "::1", "::ffff:127.")
LOOK_SECONDS = 0.2
STOP_SECONDS = 30.0
"""Seconds for a session to stop when told to."""
LEAVE_SECONDS = 5.0
"""Seconds for its processes to end after it."""


class RecordedRun:
    """One run of the session."""

    def __init__(self, result: Result, state: RunState, folder: SessionFolder, not_finite: int) -> None:
        self.result = result
        self.state = state
        self.not_finite = not_finite
        """Steps of all ranks whose loss was not a finite number."""
        self._folder = folder

    def log(self, rank: int = 0) -> str:
        """Return the output of a rank."""
        return self._folder.rank_log(self.state.spec.id, rank).read_text(errors="replace")

    def assert_trained(self) -> None:
        """Assert that it was measured in full: losses are numbers, no step is lost, no phase failed."""
        result = self.result
        assert result.state == "measured", result.failure or result.reason
        assert result.windows
        assert not self.state.detail_trouble
        assert not self.not_finite, f"{self.not_finite} losses are not numbers"
        for rank in self.state.ranks.values():
            assert not rank.lost_steps
            assert rank.measured is not None
            assert rank.finished is not None
            assert not rank.finished.detail_trouble

    @property
    def joules(self) -> float:
        """Energy of its devices over the measured windows, as far as it was counted."""
        done = (rank.measured for rank in self.state.ranks.values())
        return sum(joules or 0.0 for each in done if each is not None for joules in each.energy_joules)

    @property
    def summary(self) -> str:
        """Its headline figures, for the table."""
        step = 1e3 * (self.result.step_seconds or 0)
        return f"{self.result.label} {self.result.throughput or 0:,.0f} samples/s, step {step:.2f} ms"


class RecordedSession:
    """Session with the observations of its processes."""

    def __init__(self, folder: SessionFolder, plan: Plan) -> None:
        self.folder = folder
        self.planned = {spec.label for spec in plan.runs}
        self.listened: list[tuple[float, str]] = []
        """Unix times and addresses beyond loopback at which its processes were listening."""
        self.outlived: list[psutil.Process] = []
        """Its processes that were left after its end."""
        self.stopped = False
        """Whether it was stopped because the budget was over."""
        self.runs: dict[str, RecordedRun] = {}

    def watch(self, process: subprocess.Popen[bytes], machine: Machine) -> None:
        """Observe its processes until it ends, and stop it when the budget is used up."""
        ending, seen = None, set[psutil.Process]()
        while process.poll() is None:
            processes = family(process.pid)
            seen.update(processes)
            self.listened += [(time.time(), address) for address in listening(processes)]
            if ending is None and machine.left <= 0:
                self.stopped = stop_session(self.folder)
                ending = time.monotonic()
            if ending is not None and time.monotonic() - ending > STOP_SECONDS:
                process.kill()
            time.sleep(LOOK_SECONDS)
        _, alive = psutil.wait_procs(seen, timeout=LEAVE_SECONDS)
        self.outlived = [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]

    def read(self) -> None:
        """Read its journal."""
        self.session = read_session(self.folder.journal)
        not_finite: dict[str, int] = {}
        for event in read_journal(self.folder.journal):
            if isinstance(event, Steps):
                not_finite[event.run] = not_finite.get(event.run, 0) + event.loss.count(None)
        for result in analyse(self.session).results:
            state, broken = self.session.runs[result.run], not_finite.get(result.run, 0)
            self.runs[result.label] = RecordedRun(result, state, self.folder, broken)

    def __getitem__(self, label: str) -> RecordedRun:
        """Return a run by its label; skips the test where it is not planned or its time was over."""
        if label not in self.planned:
            pytest.skip(f"{label} needs a GPU, or more of them")
        run = self.runs[label]
        if self.stopped and run.state.state == "stopped":
            pytest.skip("the budget was over before it")
        return run

    @property
    def measured(self) -> list[RecordedRun]:
        """All measured runs, whatever was expected of them; skips the test where there is none."""
        found = [run for run in self.runs.values() if run.result.state == "measured"]
        if not found:
            pytest.skip("no run was measured")
        return found

    def listened_during(self, run: RecordedRun) -> set[str]:
        """Return the addresses beyond loopback at which its processes were listening during a run."""
        begun, ended = run.state.started_at or 0.0, run.state.finished_at or float("inf")
        start = self.session.unix_time
        return {address for at, address in self.listened if start + begun <= at <= start + ended}


def record(machine: Machine, plan: Plan, root: Path) -> RecordedSession:
    """Run a plan within the remaining budget, and return what was recorded."""
    folder = Shelf(root).create("acceptance", plan, machine.host, "")
    recorded = RecordedSession(folder, plan)
    recorded.watch(start_session(folder), machine)
    recorded.read()
    return recorded


def listening(processes: Iterable[psutil.Process]) -> set[str]:
    """Return the addresses beyond loopback at which any of the processes is listening."""
    found = set()
    for process in processes:
        try:
            connections = process.net_connections(kind="inet")
        except psutil.Error:
            continue
        found |= {
            each.laddr.ip
            for each in connections
            if each.status == psutil.CONN_LISTEN and not each.laddr.ip.startswith(LOOPBACK)
        }
    return found


def family(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants; nothing where it has ended."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
