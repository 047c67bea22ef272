"""Faults of ranks and of the processes around them: what is said, what goes on, and that nothing is left.

Each row is a fault in the first run of a plan whose second run must be measured whatever befell the first.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from conductor.conftest import PATIENCE, Session, Start, nursery, run_spec, start, wait_until_gone
from gpubench_tui.engine.conductor.processes.remains import GUARDIAN_NAME
from gpubench_tui.engine.record.events import RunFinished, Steps

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]
__all__ = ["nursery", "start"]

SHARED = Path("/dev/shm")


class Fault(NamedTuple):
    name: str
    behaviour: str
    """What the ranks of the first run do: a function of `tests/conductor/ranks.py`."""
    inflict: Callable[[Session], None]
    outcome: str
    said: str = ""
    """Pattern of the first run's failure, as `kind rank: message`."""


def nothing(session: Session) -> None:
    pass


def until_steps(session: Session) -> None:
    session.until(lambda event: isinstance(event, Steps), count=2)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def forking(session: Session) -> tuple[int, ...]:
    """The guardian and the fork server, once both are there."""
    found: list[tuple[int, int]] = []

    def look() -> bool:
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(session.process.pid).children():
                if child.name() == GUARDIAN_NAME:
                    found.extend((child.pid, own.pid) for own in child.children()[:1])
        return bool(found)

    wait_for(look)
    return found[0]


def fork_server(number: signal.Signals, *, guardian: bool = False) -> Callable[[Session], None]:
    def inflict(session: Session) -> None:
        until_steps(session)
        os.kill(forking(session)[0 if guardian else 1], number)

    return inflict


def importing(number: signal.Signals) -> Callable[[Session], None]:
    return lambda session: os.kill(forking(session)[1], number)


KILLED, TERMINATED, STOPPED = signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP
BY_KILL = "killed None: the fork server.* was killed by SIGKILL"
BY_TERM = "killed None: the fork server.* was killed by SIGTERM"
BY_STOP = "killed None: the fork server.* was stopped by a signal"
FAULTS = [
    Fault("fork server killed as it imports", "behave", importing(KILLED), "failed", BY_KILL),
    Fault(
        "fork server stopped as it imports",
        "behave",
        importing(STOPPED),
        "failed",
        BY_STOP,
    ),
    Fault("fork server killed", "work_on", fork_server(KILLED), "failed", BY_KILL),
    Fault("fork server terminated", "work_on", fork_server(TERMINATED), "failed", BY_TERM),
    Fault("fork server stopped", "steady", fork_server(STOPPED), "measured"),
    Fault("guardian killed", "work_on", fork_server(KILLED, guardian=True), "failed", BY_KILL),
    Fault("guardian stopped", "steady", fork_server(STOPPED, guardian=True), "measured"),
    Fault("children and shared memory left", "remains", nothing, "measured"),
]
LONG = {"fork server stopped as it imports", "fork server terminated", "guardian killed", "guardian stopped"}
"""Rows that differ little from others, and run only with `--long`."""


def told(end: RunFinished) -> str:
    return "" if end.failure is None else f"{end.failure.kind} {end.failure.rank}: {end.failure.message}"


def left_behind(session: Session) -> tuple[list[psutil.Process], list[Path]]:
    """Processes and shared memory that the ranks' logs name, those still there."""
    text = "".join(log.read_text() for log in session.folder.logs.glob("*.log"))
    processes = []
    for pid in re.findall(r"^left behind (\d+)$", text, re.M):
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(int(pid)))
    return processes, [SHARED / name for name in re.findall(r"^shared (\w+)$", text, re.M)]


@pytest.mark.parametrize(
    "fault",
    [pytest.param(row, id=row.name, marks=[pytest.mark.long] if row.name in LONG else []) for row in FAULTS],
)
def test_a_fault_costs_at_most_its_run(start: Start, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPORT_WAITS", "1" if "imports" in fault.name else "")
    session = start(run_spec(0, fault.behaviour), run_spec(1, "ddp"))
    fault.inflict(session)
    session.wait()
    first, second = session.ends().values()
    assert (first.outcome, second.outcome) == (fault.outcome, "measured"), (told(first), told(second))
    assert re.search(fault.said, told(first)), told(first)
    processes, shared = left_behind(session)
    wait_until_gone(processes)
    assert not [path for path in shared if path.exists()]


BLAME = {
    "terminated": "killed 1: killed by SIGTERM",
    "overfull": "killed 1: killed by SIGTERM",
    "paused": "hung 1: no progress for .* before the first step: its process was stopped by a signal",
    "impatient": "hung 1: .*its process was stopped by a signal",
    "looping": r"hung 1: no progress for .* after 1 step, in forward \(ranks.py:",
    "sleeping": r"hung 0: no progress for .* before the first step, in sleep_for_ever \(ranks.py:",
    "closing": "raised 1: its process lives on, but closed its connection to this program",
    "astray": "hung None: rank 0 or 1: no progress for .* after 1 step$",
}
"""What ranks do to each other, and which of them is to blame, as `kind rank: message`."""


HANG = {"paused": 15.0, "looping": 15.0, "sleeping": 15.0, "astray": 15.0}
"""Seconds of silence that a rank is allowed; the others are never silent for as long."""


def test_the_rank_to_blame_is_the_one_that_went_first(start: Start) -> None:
    sessions = {
        name: start(run_spec(0, name, hang=HANG.get(name, 90.0)), run_spec(1, "ddp")) for name in BLAME
    }
    wrong = []
    for name, session in sessions.items():
        session.wait()
        failed, following = session.ends().values()
        assert following.outcome == "measured"
        if not re.match(BLAME[name], told(failed)):
            wrong.append((name, told(failed)))
    assert not wrong


def test_nothing_outlives_a_killed_session(start: Start) -> None:
    session = start(run_spec(0, "remains-stay"))
    until_steps(session)
    processes, shared = left_behind(session)
    assert len(processes) == 4
    assert len(shared) == 6
    assert all(path.exists() for path in shared)
    processes += session.processes()
    os.killpg(session.process.pid, signal.SIGKILL)
    wait_until_gone(processes)
    wait_for(lambda: not [path for path in shared if path.exists()])
