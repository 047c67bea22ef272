from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from gpubench_tui.engine.host.facts import Cpu, Host, Software
from gpubench_tui.engine.plan.plan import Device, Plan, RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, RunFinished
from gpubench_tui.engine.record.journal import Follower, read_journal
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf

PATIENCE = 240.0


def run_spec(
    number: int, behaviour: str, ranks: int = 2, skip: str | None = None, hang: float = 60.0
) -> RunSpec:
    devices = tuple(Device("cpu", index, f"core {index}") for index in range(ranks))
    return RunSpec(
        id=f"{number:02}-{behaviour}",
        label=behaviour,
        mode="ddp",
        devices=devices,
        device_count=ranks,
        workloads=(Workload(),),
        measure=Measure(hang_seconds=hang),
        skip=skip,
    )


class SessionProcess:
    """A process of the nursery's, used like a Popen."""

    def __init__(self, pid: int, status: Path) -> None:
        self.pid = pid
        self._status = status

    def poll(self) -> int | None:
        return int(self._status.read_text()) if self._status.exists() else None

    def wait(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while (status := self.poll()) is None:
            assert time.monotonic() < deadline, "the session process goes on"
            time.sleep(0.02)
        return status

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


class Nursery:
    """The process that session processes are forked from: see nursery.py."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, folder: SessionFolder) -> SessionProcess:
        """Start a session process with the environment as it is now."""
        assert self.process.stdin is not None and self.process.stdout is not None
        status = folder.path.with_name(f"{folder.name}-{time.monotonic_ns()}.status")
        request = {"folder": str(folder.path), "environment": dict(os.environ), "status": str(status)}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return SessionProcess(int(self.process.stdout.readline()), status)


class Session:
    """A session process of the test's own workers, and what its journal says."""

    def __init__(self, folder: SessionFolder, nursery: Nursery) -> None:
        self.folder = folder
        self.nursery = nursery
        self.process = nursery.start(folder)

    def started_again(self) -> Session:
        """Start another process for the same session."""
        return Session(self.folder, self.nursery)

    def wait(self) -> int:
        return self.process.wait()

    def events(self) -> list[Event]:
        return list(read_journal(self.folder.journal))

    def ends(self) -> dict[str, RunFinished]:
        return {event.run: event for event in self.events() if isinstance(event, RunFinished)}

    def until(self, seen: Callable[[Event], bool], count: int = 1) -> list[Event]:
        """Wait until so many events of that kind are in the journal."""
        follower, found = Follower(self.folder.journal), list[Event]()
        deadline = time.monotonic() + PATIENCE
        while len(found) < count:
            assert time.monotonic() < deadline, self.folder.log.read_text()
            assert self.process.poll() is None, self.folder.log.read_text()
            found += [event for event in follower.read() if seen(event)]
            time.sleep(0.02)
        return found

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


Start = Callable[..., Session]
"""Starts a session of the runs that it is given."""


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.process.kill()
    nursery.process.wait()


@pytest.fixture
def start(nursery: Nursery, tmp_path: Path) -> Iterator[Start]:
    """Start a session of these runs, with `more` of its plan; whatever is left of it afterwards is killed."""
    sessions: list[Session] = []

    def _start(*runs: RunSpec, **more: Any) -> Session:
        host = Host(
            "here",
            Cpu("a processor", tuple(sorted(os.sched_getaffinity(0))), 1, 1 << 30),
            Software("3", "linux"),
        )
        words = {"preset": "test", "title": "Test", "question": "Does it hold?", "devices": (), **more}
        plan = Plan(runs=runs, **words)
        session = Session(Shelf(tmp_path).create(None, plan, host, ""), nursery)
        sessions.append(session)
        return session

    yield _start
    for session in sessions:
        if session.process.poll() is None:
            processes = session.processes()
            session.process.kill()
            session.wait()
            _, alive = psutil.wait_procs(processes, PATIENCE)  # its guardian ends them
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
