"""A simulated session on 8 GPUs: its folder, and its events in each tenth of a second.

8 ranks at 100 steps a second report ten times a second; the devices are sampled twice a second.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event as Flag
from pathlib import Path

from gpubench_tui.engine.host.facts import Cpu, CpuSample, Gpu, GpuSample, Host, Software
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.plan.preset.preset import Matrix, Measure, Preset
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record import events
from gpubench_tui.engine.record.events import Event
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf

GPUS = 8
CORES = 64
TICK_SECONDS = 0.1
STEPS_A_TICK = 10
BATCH = 128
GIB = 1 << 30
HOST = Host(
    name="server",
    cpu=Cpu("AMD EPYC 9554", tuple(range(CORES)), physical=CORES, memory_bytes=512 * GIB),
    software=Software("3.12", "Linux", torch="2.13.0", torch_cuda="13.0"),
    gpus=tuple(
        Gpu(index, f"GPU-{index}", "NVIDIA H200", 140 * GIB, (9, 0), power_limit_watts=700)
        for index in range(GPUS)
    ),
)
PRESET = Preset(
    title="Scaling",
    question="How far does it scale?",
    description="For the benchmark of the app.",
    workload=Workload(model="cifar-resnet18", batch=BATCH),
    measure=Measure(seconds=3600, windows=5, target=0.0001),
    matrix=Matrix(modes=("single", "ddp"), devices=(2, 4, 8)),
)


def plan() -> Plan:
    """Return the plan: one device, then DDP on 2, 4 and 8; the last run is still running."""
    return make_plan("scaling", PRESET, HOST)


def new_folder(root: Path) -> SessionFolder:
    """Create the session's folder, with all events before the run that is still running."""
    folder = Shelf(root).create("benchmark", plan(), HOST, "")
    journal = Journal(folder.journal)
    for event in beginning():
        journal.append(event)
    journal.close()
    return folder


def beginning() -> Iterator[Event]:
    """Yield the start of the session and all runs but the last."""
    *done, last = plan().runs
    yield events.SessionStarted(
        at=0.0, session="benchmark", program="", unix_time=time.time(), pid=0, host=HOST, plan=plan()
    )
    for spec in done:
        yield events.RunStarted(at=0.0, run=spec.id)
        for rank in range(spec.world_size):
            for index in range(8):
                yield events.Window(
                    at=0.0, run=spec.id, rank=rank, index=index, steps=100, samples=100 * BATCH, seconds=1.0
                )
        yield events.RunFinished(at=0.0, run=spec.id, outcome="measured")
        yield events.LogMessage(at=0.0, level="info", text=f"measured {spec.label}", run=spec.id)
    yield events.RunStarted(at=0.0, run=last.id)
    for rank in range(last.world_size):
        yield events.RankStarted(
            at=0.0, run=last.id, rank=rank, pid=rank, device="NVIDIA H200", settings={"torch": "2.13.0"}
        )
        yield events.PhaseChanged(at=0.0, run=last.id, rank=rank, phase="measuring")


def tick(number: int, run: str) -> Iterator[Event]:
    """Return the events of one tenth of a second."""
    at = number * TICK_SECONDS
    first = number * STEPS_A_TICK
    for rank in range(GPUS):
        yield events.Steps(
            at=at,
            run=run,
            rank=rank,
            first=first,
            seconds=[random.gauss(0.01, 0.0002) for _ in range(STEPS_A_TICK)],
            loss=[loss(step) for step in range(first, first + STEPS_A_TICK)],
            samples=[BATCH] * STEPS_A_TICK,
            learning_rate=[0.1] * STEPS_A_TICK,
        )
    if number % 10 == 9:
        for rank in range(GPUS):
            yield events.Window(
                at=at,
                run=run,
                rank=rank,
                index=number // 10,
                steps=100,
                samples=100 * BATCH,
                seconds=random.gauss(1.0, 0.005),
            )
    if number % 5 == 4:
        yield events.Sampled(at=at, gpus=[gpu(index) for index in range(GPUS)], cpu=cpu())


def loss(step: int) -> float:
    """Return a loss that falls, with noise."""
    return 2.3 / (1 + step / 2000) ** 0.5 + random.gauss(0, 0.03)


def gpu(index: int) -> GpuSample:
    """Return a sample of a GPU that trains: every figure moves a little from one sample to the next."""
    return GpuSample(
        index,
        utilization=float(random.randint(94, 99)),
        memory_used_bytes=71 * GIB,
        memory_total_bytes=140 * GIB,
        temperature=61.0 + random.randint(0, 1),
        power_watts=random.gauss(612, 15),
        power_limit_watts=700.0,
        sm_clock_mhz=1755.0 + 15 * random.randint(0, 2),
        sm_clock_max_mhz=1980.0,
        throttle=("power cap",) if index == 1 else (),
    )


def cpu() -> CpuSample:
    """Return a sample of a processor with some busy cores."""
    return CpuSample(
        tuple(random.uniform(0, 100) for _ in range(CORES)),
        int(random.uniform(64, 64.3) * GIB),
        512 * GIB,
        session_percent=random.uniform(800, 860),
        session_memory_bytes=40 * GIB,
    )


def live(path: Path, stop: Flag) -> None:
    """Write the session's journal in real time, as its process, until told to stop."""
    folder = SessionFolder(path)
    journal, run = Journal(folder.journal), plan().runs[-1].id
    with folder.hold():
        start = time.monotonic()
        number = 0
        while not stop.wait(max(0.0, start + number * TICK_SECONDS - time.monotonic())):
            for event in tick(number, run):
                journal.append(event)
            number += 1


def write(journal: Journal, seconds: range) -> None:
    """Write the events of these seconds of the session at once."""
    run = plan().runs[-1].id
    ticks = round(1 / TICK_SECONDS)
    for number in range(seconds.start * ticks, seconds.stop * ticks):
        for event in tick(number, run):
            journal.append(event)


def drifting(index: int, second: float) -> dict[str, str]:
    """Return one GPU's keys for the stand-in driver library at a given second: busy, and moving a little."""
    swing = math.sin(second / 7 + index)
    return {
        "util": f"{94 + random.randint(0, 5)}",
        "used": f"{70_000 + round(200 * swing)}",
        "temp": f"{61 + round(swing)}",
        "power": f"{612_000 + random.randint(-15_000, 15_000)}",
        "clock": f"{1755 + 15 * random.randint(0, 2)}",
    }
