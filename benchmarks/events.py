"""Events through queue, journal and fold: how many a second, and what a very long session keeps in memory.

    python benchmarks/events.py

A GPU server at full pelt: 8 ranks with 100 steps a second, in 10 messages a second each. The ratios say how
many times as fast as that the program can go.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from gpubench_tui.engine.conductor.listener import Ended, RankListener
from gpubench_tui.engine.conductor.rank_entry import Entered
from gpubench_tui.engine.conductor.recorder import Recorder
from gpubench_tui.engine.host.facts import Cpu, Host, Software
from gpubench_tui.engine.plan.plan import Device, Plan, RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, RunStarted, SessionStarted, Steps, Window
from gpubench_tui.engine.record.journal import Journal, read_journal
from gpubench_tui.engine.record.session import Session, fold

RANKS = 8
STEPS_PER_EVENT = 10
REAL_EVENTS_PER_SECOND = RANKS * 10
MESSAGES = 4_000
"""Events sent by each rank to measure the way to the journal."""
LONG_SESSION_STEPS = 10_000_000
RUN = "01-ddp-8x128"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.jsonl"
        to_journal = through_the_queues(journal)
        read_back, steps = reading_back(journal)
    folded, early, late = a_long_session()
    print(f"{'':<34}{'events/s':>12}{'times real time':>18}")
    for name, rate in (
        (f"{RANKS} ranks -> queues -> journal", to_journal),
        ("journal -> fold", read_back),
        ("fold alone", folded),
    ):
        print(f"{name:<34}{rate:>12,.0f}{rate / REAL_EVENTS_PER_SECOND:>17.0f}x")
    million = 1e6 / STEPS_PER_EVENT / read_back
    print(f"\na million steps read back in {million:.2f} s (measured over {steps:,} steps)")
    print(
        f"memory: {early:.0f} MiB after a tenth of {LONG_SESSION_STEPS:,} steps, {late:.0f} MiB after all: "
        f"ratio {late / early:.2f} (target: flat)"
    )


def steps_of(rank: int, number: int) -> Steps:
    first = number * STEPS_PER_EVENT
    return Steps(
        at=number * 0.1,
        run=RUN,
        rank=rank,
        first=first,
        seconds=[0.00998765 + number * 1e-9] * STEPS_PER_EVENT,
        loss=[2.30258512 / (1 + first)] * STEPS_PER_EVENT,
        samples=[128] * STEPS_PER_EVENT,
        learning_rate=[0.1] * STEPS_PER_EVENT,
    )


def session_started() -> SessionStarted:
    devices = tuple(Device("cuda", index, "GPU") for index in range(RANKS))
    run = RunSpec(
        id=RUN,
        label="ddp x8",
        mode="ddp",
        devices=devices,
        device_count=RANKS,
        workloads=(Workload(),),
        measure=Measure(),
    )
    return SessionStarted(
        at=0.0,
        session="benchmark",
        program="",
        unix_time=0.0,
        pid=0,
        host=Host("host", Cpu("cpu", (0,), 1, 0), Software("", "")),
        plan=Plan(preset="", title="", question="", devices=devices, runs=(run,)),
    )


def rank_process(rank: int, queue: Queue[Any], start: Any) -> None:
    import os

    messages = [[steps_of(rank, number)] for number in range(MESSAGES)]
    queue.put(Entered(os.getpid()))
    start.wait()
    for message in messages:
        queue.put(message)
    queue.close()
    queue.join_thread()


def through_the_queues(path: Path) -> float:
    """Return the events per second from the ranks' queues, through the conductor, into the journal."""
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    recorder = Recorder(
        Journal(path), time.monotonic(), failed=lambda: sys.exit("the journal cannot be written")
    )
    recorder.write(session_started())
    recorder.write(RunStarted(at=0.0, run=RUN))
    done = threading.Semaphore(0)
    up = threading.Semaphore(0)

    def told(message: object) -> None:
        if isinstance(message, Ended):
            done.release()
        elif type(message).__name__ == "Appeared":
            up.release()

    queues: list[Queue[Any]] = [context.Queue(256) for _ in range(RANKS)]
    ranks = [context.Process(target=rank_process, args=(rank, queues[rank], start)) for rank in range(RANKS)]
    lines = [RankListener(rank, queue, recorder.write, told) for rank, queue in enumerate(queues)]
    for thread in (*lines, *ranks):
        thread.start()
    for _ in ranks:
        up.acquire()
    began = time.perf_counter()
    start.set()
    for _ in ranks:
        done.acquire()
    return RANKS * MESSAGES / (time.perf_counter() - began)


def reading_back(path: Path) -> tuple[float, int]:
    """Return the events per second from the journal into a Session, and the number of steps it then holds."""
    began = time.perf_counter()
    session = fold(read_journal(path))
    rate = RANKS * MESSAGES / (time.perf_counter() - began)
    steps = sum(rank.steps for rank in session.runs[RUN].ranks.values())
    assert steps == RANKS * MESSAGES * STEPS_PER_EVENT, "steps were lost on the way"
    return rate, steps


def a_long_session() -> tuple[float, float, float]:
    """Return the fold's events per second, and the peak memory (MiB) after a tenth and after all of them."""
    session = Session()
    session.apply(session_started())
    session.apply(RunStarted(at=0.0, run=RUN))
    events = LONG_SESSION_STEPS // STEPS_PER_EVENT
    early = 0.0
    began = time.perf_counter()
    for number, event in enumerate(long_events(events)):
        session.apply(event)
        if number == events // 10:
            early = peak_mib()
    return events / (time.perf_counter() - began), early, peak_mib()


def long_events(count: int) -> Iterator[Event]:
    for number in range(count):
        rank, turn = number % RANKS, number // RANKS
        yield steps_of(rank, turn)
        if turn % 10 == 0:
            yield Window(
                at=turn * 0.1, run=RUN, rank=rank, index=turn // 10, steps=100, samples=12_800, seconds=1.0
            )


def peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
