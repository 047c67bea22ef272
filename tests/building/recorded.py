"""Recorded sessions made up for the screens: the events that a session of so many devices would write."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from gpubench_tui.engine.host.facts import Cpu, CpuSample, Gpu, GpuProcess, GpuSample, Host, Software
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import Plan, RunSpec
from gpubench_tui.engine.plan.preset.preset import Figure, Matrix, Measure, Preset, Published
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record import events
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import Session, fold
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from msgspec.structs import replace

GIB = 1 << 30
STEP_SECONDS = 0.02
STEPS_A_WINDOW = 25
WINDOWS = 6


def host(gpus: int, cores: int = 2) -> Host:
    """A machine with so many GPUs."""
    return Host(
        name="bench01",
        cpu=Cpu("AMD EPYC 9554", tuple(range(cores)), physical=cores, memory_bytes=64 * GIB),
        software=Software(
            "3.11.9", "Linux", torch="2.13.0", torch_cuda="13.0" if gpus else None, torchvision="0.28.0"
        ),
        gpus=tuple(
            Gpu(index, f"GPU-{index}", "NVIDIA H200", 140 * GIB, (9, 0), power_limit_watts=700)
            for index in range(gpus)
        ),
    )


def preset(gpus: int, epochs: int = 0, repeats: int = 1) -> Preset:
    """One device, then DDP on some and on too many."""
    counts = {0: (1, 2, 4), 2: (2, 4)}.get(gpus, (2, gpus, 2 * gpus))
    return Preset(
        title="Scaling",
        question="How far does it scale?",
        description="A made-up preset.",
        workload=Workload(model="cifar-resnet18", batch=128, learning_rate=0.1),
        measure=Measure(epochs=epochs, seconds=4, windows=5, repeats=repeats),
        matrix=Matrix(modes=("single", "dp", "ddp"), devices=counts),
        published=(
            Published(
                source="A study of scaling",
                hardware="8 x NVIDIA V100",
                note="One seed only.",
                figures=(
                    Figure(mode="ddp", devices=2, metric="speedup", value=1.8),
                    Figure(mode="single", metric="throughput", value=2900.0),
                ),
            ),
        ),
    )


def plan(gpus: int, epochs: int = 0, repeats: int = 1) -> Plan:
    """The preset's plan on the machine with so many GPUs."""
    return make_plan("scaling", preset(gpus, epochs, repeats), host(gpus))


def session_events(
    gpus: int, epochs: int = 0, fail: str | None = None, repeats: int = 1
) -> Iterator[events.Event]:
    """A whole session on so many GPUs, 0 for CPU shares; the run whose id begins with `fail` fails."""
    the_plan = plan(gpus, epochs, repeats)
    at = 0.0
    yield events.SessionStarted(
        at=at, session="scaling-1", program="0.1.0", unix_time=1.8e9, pid=4711, host=host(gpus), plan=the_plan
    )
    yield events.LogMessage(at=at, level="info", text="the session has begun")
    for spec in the_plan.runs:
        if spec.skip is not None:
            yield events.RunFinished(at=at, run=spec.id, outcome="skipped", reason=spec.skip)
            continue
        fails = fail is not None and spec.id.startswith(fail)
        for event in run_events(spec, at, gpus, fails):
            at = max(at, event.at)
            yield event
        at += 0.5
    yield events.SessionFinished(at=at, outcome="finished")


def recorded_session(
    gpus: int, until: float = math.inf, epochs: int = 0, fail: str | None = None, repeats: int = 1
) -> Session:
    """Return what such a session has recorded at that second."""
    return fold(event for event in session_events(gpus, epochs, fail, repeats) if event.at <= until)


def run_events(spec: RunSpec, start: float, gpus: int, fails: bool = False) -> Iterator[events.Event]:
    """One run: its ranks start, warm up, and measure; windows and curves with some noise."""
    yield events.RunStarted(at=start, run=spec.id)
    ranks = range(spec.world_size)
    for rank in ranks:
        yield events.RankStarted(
            at=start + 0.2,
            run=spec.id,
            rank=rank,
            pid=5000 + rank,
            device="device",
            settings={"torch": "2.13.0"},
        )
        yield events.ModelBuilt(
            at=start + 0.3,
            run=spec.id,
            rank=rank,
            parameters=11_173_962,
            train_samples=STEPS_A_WINDOW * spec.global_batch,
            test_samples=2000,
            steps_per_epoch=STEPS_A_WINDOW,
        )
    batch = spec.batch_per_device() * (spec.device_count if spec.mode == "dp" else 1)
    slower = 1 + 0.04 * math.log2(spec.device_count)
    for window in range(-1, 2 if fails else WINDOWS):
        began = start + 0.5 + (window + 1) * STEPS_A_WINDOW * STEP_SECONDS
        ended = began + STEPS_A_WINDOW * STEP_SECONDS
        first = (window + 1) * STEPS_A_WINDOW
        seconds = STEP_SECONDS * slower * (1 + 0.01 * math.sin(window + spec.device_count))
        epoch = window + 1 if spec.measure.epochs and window >= 0 else None
        for rank in ranks:
            yield events.PhaseChanged(
                at=began,
                run=spec.id,
                rank=rank,
                phase="warming up" if window < 0 else "measuring",
                epoch=epoch,
            )
            steps = range(first, first + STEPS_A_WINDOW)
            yield events.Steps(
                at=ended,
                run=spec.id,
                rank=rank,
                first=first,
                seconds=[seconds] * STEPS_A_WINDOW,
                loss=[2.3 * math.exp(-step / 80) + 0.05 * math.sin(step) for step in steps],
                samples=[batch] * STEPS_A_WINDOW,
                learning_rate=[0.1] * STEPS_A_WINDOW,
            )
            if window >= 0:
                yield events.Window(
                    at=ended,
                    run=spec.id,
                    rank=rank,
                    index=window,
                    steps=STEPS_A_WINDOW,
                    samples=batch * STEPS_A_WINDOW,
                    seconds=seconds * STEPS_A_WINDOW,
                    epoch=epoch,
                )
            if epoch is not None:
                yield evaluation(spec, rank, epoch, ended)
        yield sampled(ended, gpus)
    if fails:
        yield from _failure(spec, ended)
        return
    yield from looked_into(spec, ended)
    for rank in ranks:
        yield events.RankMeasured(
            at=ended + 0.07,
            run=spec.id,
            rank=rank,
            stop_reason="interval ±0.8% within 1%",
            peak_memory_bytes=[3 * GIB],
            peak_reserved_bytes=[4 * GIB],
        )
        yield events.RankFinished(
            at=ended + 0.08,
            run=spec.id,
            rank=rank,
            steps=STEPS_A_WINDOW * (WINDOWS + 1),
            samples=batch * STEPS_A_WINDOW * (WINDOWS + 1),
        )
    yield events.RunFinished(at=ended + 0.1, run=spec.id, outcome="measured")
    yield events.LogMessage(at=ended + 0.1, level="info", text=f"measured {spec.label}", run=spec.id)


DETAIL = {
    "input": 0.004,
    "transfer": 0.001,
    "forward": 0.005,
    "backward": 0.008,
    "exposed": 0.0,
    "optimizer": 0.0015,
}
"""Seconds; half a millisecond of a step on one device is unaccounted for."""
EXPOSED = 0.003
BUCKETS = (26_000_000, 18_695_848)


def looked_into(spec: RunSpec, at: float) -> Iterator[events.Event]:
    """What comes after the windows: where a step goes and, between devices, what communication costs."""
    several = spec.mode == "ddp" and spec.device_count > 1
    for rank in range(spec.world_size):
        yield events.PhaseChanged(at=at + 0.02, run=spec.id, rank=rank, phase="detail")
        yield events.ComputeMeasured(
            at=at + 0.03, run=spec.id, rank=rank, flop_per_step=428_000_000_000, peak_flop_per_second=5e13
        )
        parts = {**DETAIL, "exposed": EXPOSED if several else 0.0}
        lists = {part: [seconds] * 20 for part, seconds in parts.items()}
        step = STEP_SECONDS + parts["exposed"]
        yield events.Breakdown(at=at + 0.04, run=spec.id, rank=rank, step=[step] * 20, **lists)
        if several:
            yield events.PhaseChanged(at=at + 0.05, run=spec.id, rank=rank, phase="communication")
            yield communication(spec, rank, at + 0.06)
    if several:
        sizes = [1 << power for power in range(10, 29, 2)]
        yield events.BandwidthMeasured(
            at=at + 0.07,
            run=spec.id,
            rank=0,
            collective="all_reduce",
            sizes=sizes,
            seconds=[20e-6 + size / 3e10 for size in sizes],
        )


def communication(spec: RunSpec, rank: int, at: float) -> events.CommunicationMeasured:
    """Two buckets in each of ten steps; on more than two devices the cost drowns in the noise."""
    noise = 0.0002 if spec.device_count == 2 else 0.02
    starts = [at + 0.1 * step for step in range(10)]
    return events.CommunicationMeasured(
        at=at,
        run=spec.id,
        rank=rank,
        buckets=[
            events.BucketTimes(
                size,
                [start + delay + 0.0003 * rank for start in starts],
                [start + delay + 0.002 for start in starts],
            )
            for size, delay in zip(BUCKETS, (0.0, 0.0025), strict=True)
        ],
        synchronised=[0.023 + noise * math.sin(turn) for turn in range(10)],
        unsynchronised=[0.020 + noise * math.cos(turn) for turn in range(10)],
    )


def evaluation(spec: RunSpec, rank: int, epoch: int, at: float) -> events.Evaluation:
    """An epoch's evaluation: the accuracy rises."""
    return events.Evaluation(
        at=at,
        run=spec.id,
        rank=rank,
        epoch=epoch,
        train_loss=2 / epoch,
        train_accuracy=1 - 0.6 / epoch,
        test_loss=2.1 / epoch,
        test_accuracy=1 - 0.7 / epoch,
        seconds=0.5,
    )


def _failure(spec: RunSpec, at: float) -> Iterator[events.Event]:
    failure = events.Failure(
        "out of memory", 0, "CUDA ran out of memory at batch 128", f"logs/{spec.id}-rank0.log"
    )
    yield events.RankFailed(at=at, run=spec.id, rank=0, kind=failure.kind, message=failure.message)
    yield events.RunFinished(at=at + 0.1, run=spec.id, outcome="failed", failure=failure)
    yield events.LogMessage(
        at=at + 0.1, level="error", text=f"{spec.label} failed: out of memory", run=spec.id
    )


def sampled(at: float, gpus: int) -> events.Sampled:
    """The devices: GPU 1 throttles, the last of three or more is lost, GPU 0 tells no power."""
    return events.Sampled(at=at, gpus=[gpu_sample(index, gpus) for index in range(gpus)], cpu=cpu_sample())


def gpu_sample(index: int, gpus: int) -> GpuSample:
    """One GPU of that many."""
    if gpus > 2 and index == gpus - 1:
        return GpuSample(index, lost=True)
    return GpuSample(
        index,
        utilization=97.0 - index,
        memory_used_bytes=(71 + index) * GIB,
        memory_total_bytes=140 * GIB,
        temperature=61.0 + index,
        power_watts=None if index == 0 else 612.0,
        power_limit_watts=700.0,
        sm_clock_mhz=1755.0,
        sm_clock_max_mhz=1980.0,
        throttle=("power cap", "thermal (software)") if index == 1 else (),
        processes=(GpuProcess(5000 + index, "python", (70 + index) * GIB, "anna", 97.0),),
        pcie_generation=5,
        pcie_width=16,
        pcie_sent=1.2e9,
        pcie_received=3.4e6,
        ecc_corrected=index,
        ecc_uncorrected=0,
    )


def cpu_sample() -> CpuSample:
    """Two busy cores."""
    return CpuSample((98.0, 42.0), 12 * GIB, 64 * GIB, session_percent=131.0, session_memory_bytes=2 * GIB)


def straggling(recording: Iterable[events.Event], culprit: int, seconds: float) -> Iterator[events.Event]:
    """The same session with one rank for which the others wait so long in each step of the detail phase."""
    for event in recording:
        if isinstance(event, events.Breakdown) and event.rank != culprit and event.exposed[0]:
            exposed = [waited + seconds for waited in event.exposed]
            yield replace(event, exposed=exposed, forward=[part - seconds for part in event.forward])
        else:
            yield event


def shelve(
    root: Path,
    gpus: int,
    epochs: int = 0,
    fail: str | None = None,
    until: float = math.inf,
    name: str | None = None,
    repeats: int = 1,
    *,
    straggler: int | None = None,
) -> SessionFolder:
    """A session's folder with its journal, cut off at `until`."""
    folder = Shelf(root).create(name, plan(gpus, epochs, repeats), host(gpus), "")
    journal = Journal(folder.journal)
    recording = session_events(gpus, epochs, fail, repeats)
    for event in recording if straggler is None else straggling(recording, straggler, 0.004):
        if event.at <= until:
            journal.append(event)
    journal.close()
    return folder
