"""Seconds from a fault to its notice in the journal, the last process gone, and the next run's step.

    python benchmarks/faults.py

Each row is a session of its own: two ranks train a small model under DDP, and the fault comes from outside
once both have taken steps. A session that goes on trains another run, and is then stopped.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
from gpubench_tui.engine.conductor.control import skip_run, stop_session
from gpubench_tui.engine.conductor.start import start_session
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.preset.write import write_preset
from gpubench_tui.engine.record.events import (
    Event,
    LogMessage,
    RankStarted,
    RunFinished,
    SessionFinished,
    Steps,
)
from gpubench_tui.engine.record.journal import Follower
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf

HANG_SECONDS = 5.0
"""The limit `measure.hang_seconds` of these sessions: the time that a silent rank is waited for."""
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.005
SETTINGS = (
    'matrix.modes=["ddp"]',
    "workload.model=lenet",
    "workload.images=400",
    "workload.batch=8",
    "measure.window_seconds=0.1",
    "measure.target=0.0",
    "measure.seconds=600",
    "measure.detail=0",
    "measure.repeats=2",
    f"measure.hang_seconds={HANG_SECONDS}",
)


class Victims(NamedTuple):
    """A session that trains, and its processes."""

    folder: SessionFolder
    session: subprocess.Popen[bytes]
    ranks: list[psutil.Process]


def kill_rank(victims: Victims) -> None:
    victims.ranks[1].kill()


def halt_rank(victims: Victims) -> None:
    victims.ranks[1].suspend()


def terminate_rank(victims: Victims) -> None:
    victims.ranks[1].terminate()


def kill_fork_server(victims: Victims) -> None:
    fork_server = victims.ranks[0].parent()
    assert fork_server is not None
    fork_server.kill()


def kill_session(victims: Victims) -> None:
    victims.session.kill()


def fill_disk(victims: Victims) -> None:
    size = victims.folder.journal.stat().st_size + 100
    psutil.Process(victims.session.pid).rlimit(psutil.RLIMIT_FSIZE, (size, size))


def stop(victims: Victims) -> None:
    stop_session(victims.folder)


def skip(victims: Victims) -> None:
    skip_run(victims.folder)


class Fault(NamedTuple):
    """One row of the table."""

    name: str
    cause: Callable[[Victims], object]
    ends_session: bool


FAULTS = (
    Fault("a rank is killed", kill_rank, False),
    Fault("a rank is told to end (SIGTERM)", terminate_rank, False),
    Fault(f"a rank is halted ({HANG_SECONDS:.0f} s allowed)", halt_rank, False),
    Fault("the fork server is killed", kill_fork_server, False),
    Fault("the user skips the run", skip, False),
    Fault("the user stops the session", stop, True),
    Fault("the disk is full", fill_disk, True),
    Fault("the session process is killed", kill_session, True),
)


def main() -> None:
    print(f"{'':<36}{'noticed':>10}{'clean':>10}{'next step':>11}   said")
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as root:
            noticed, clean, following, said = measure(Path(root), fault)
        goes_on = f"{'-':>11}" if following is None else f"{following:>9.2f} s"
        print(f"{fault.name:<36}{noticed:>8.2f} s{clean:>8.2f} s{goes_on}   {said}", flush=True)


def measure(root: Path, fault: Fault) -> tuple[float, float, float | None, str]:
    """Return the seconds from the fault to its notice, a clean machine and the next step, and its words."""
    preset = find_preset("quickstart").read(SETTINGS)
    host = inspect_host()
    folder = Shelf(root).create(None, make_plan("faults", preset, host), host, write_preset(preset))
    session = start_session(folder)
    events = follow(folder, session)
    ranks = training(events)
    processes = psutil.Process(session.pid).children(recursive=True)
    start = time.monotonic()
    fault.cause(Victims(folder, session, ranks))
    said = next(filter(None, map(words, events)), None) or f"exit status {session.wait()}"
    noticed = time.monotonic() - start
    left = processes if fault.ends_session else ranks
    wait_until(lambda: not any(is_there(process) for process in left))
    clean, following = time.monotonic() - start, None
    if not fault.ends_session:
        training(events)
        following = time.monotonic() - start
    stop_session(folder)
    session.wait()
    return noticed, clean, following, said


def follow(folder: SessionFolder, session: subprocess.Popen[bytes]) -> Iterator[Event]:
    """Yield the events of a session as they are written, until its process is gone."""
    follower = Follower(folder.journal)
    gone = False
    while not gone:
        gone = session.poll() is not None
        yield from follower.read()
        time.sleep(LOOK_SECONDS)


def training(events: Iterator[Event]) -> list[psutil.Process]:
    """Wait until both ranks of a run have taken steps, and return their processes."""
    started: dict[int, psutil.Process] = {}
    stepped: set[int] = set()
    for event in events:
        if isinstance(event, RankStarted):
            started[event.rank] = psutil.Process(event.pid)
        elif isinstance(event, Steps):
            stepped.add(event.rank)
        if len(stepped) == len(started) == 2:
            return [process for _, process in sorted(started.items())]
    raise SystemExit("the session ended before its ranks had trained")


def words(event: Event) -> str:
    """Return the reason that an event gives for the end of a run; empty for other events."""
    if isinstance(event, RunFinished):
        return event.failure.message if event.failure is not None else event.reason or event.outcome
    if isinstance(event, SessionFinished):
        return event.outcome
    return event.text if isinstance(event, LogMessage) and event.level == "error" else ""


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait; SystemExit when it takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {PATIENCE_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)


def is_there(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    main()
