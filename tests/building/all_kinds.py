"""One event of every kind, and the plan they speak of."""

from __future__ import annotations

from gpubench_tui.engine.host.facts import CpuSample, Gpu, GpuProcess, GpuSample
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.remedy import Attempt, Remedy
from gpubench_tui.engine.record.events import (
    BandwidthMeasured,
    Breakdown,
    BucketTimes,
    CommunicationMeasured,
    ComputeMeasured,
    Evaluation,
    Event,
    Failure,
    LogMessage,
    MetricsLost,
    ModelBuilt,
    PhaseChanged,
    Piece,
    RankFailed,
    RankFinished,
    RankMeasured,
    RankStarted,
    RunFinished,
    RunsAdded,
    RunStarted,
    RunTakenOver,
    Sampled,
    SessionFinished,
    SessionStarted,
    Window,
)
from msgspec.structs import replace

from . import sessions
from .sessions import CORES, spec, steps

RESIDENT = Remedy(name="resident data", changes={"placement": "device"}, costs=("memory",), ceiling=2.5)
ATTEMPT = Attempt(number=1, purpose="remedy", changed=True, diagnosis="input-bound", remedy=RESIDENT)
SINGLE = spec("01-single", "single", measure=Measure(seconds=10.0, windows=4), baseline="01-single")
DDP = spec("02-ddp", "ddp", 2, measure=Measure(epochs=2), baseline="01-single")
DP = spec("03-dp", "dp", 2, skip="it needs GPUs")
PLAN = Plan(preset="demo", title="Démo", question="Wie schnell?", devices=CORES[:2], runs=(SINGLE, DDP, DP))
HOST = replace(sessions.HOST, gpus=(Gpu(index=0, uuid="GPU-1", name="H200", processes=(GpuProcess(pid=1),)),))
CPU_SAMPLE = CpuSample(
    per_core=(50.0, 100.0),
    memory_used_bytes=10,
    memory_total_bytes=20,
    session_percent=90.0,
    session_memory_bytes=5,
)
STARTED = SessionStarted(
    at=0.0, session="demo-1", program="0.1", unix_time=1.7e9, pid=4, host=HOST, plan=PLAN
)


def window(run: str, rank: int, index: int, seconds: float, samples: int = 100) -> Window:
    return Window(at=float(index), run=run, rank=rank, index=index, steps=1, samples=samples, seconds=seconds)


EVENTS: list[Event] = [
    STARTED,
    RunStarted(at=0.5, run=DDP.id),
    RankStarted(at=1.0, run=DDP.id, rank=1, pid=7, device="cpu", settings={"a": 1, "b": "x", "c": True}),
    ModelBuilt(
        at=1.1,
        run=DDP.id,
        rank=1,
        parameters=10,
        train_samples=20,
        test_samples=4,
        steps_per_epoch=5,
        buffer_bytes=88,
        pieces=[Piece(40, gathers=2)],
    ),
    PhaseChanged(at=1.2, run=DDP.id, rank=0, phase="warming up", note="ça chauffe\n"),
    steps(DDP.id, 0, 0, [0.1, 0.2], at=1.5),
    MetricsLost(at=1.6, run=DDP.id, rank=0, steps=3),
    window(DDP.id, 0, 0, 0.5),
    Evaluation(
        at=2.0,
        run=DDP.id,
        rank=0,
        epoch=1,
        train_loss=None,
        train_accuracy=0.5,
        test_loss=1.0,
        test_accuracy=0.25,
        seconds=1.0,
    ),
    Breakdown(
        at=2.41,
        run=DDP.id,
        rank=0,
        step=[1.0],
        input=[0.1],
        transfer=[0.0],
        forward=[0.3],
        backward=[0.4],
        exposed=[0.1],
        optimizer=[0.1],
        exchange={"scatter": [0.01], "reduce": [0.02]},
    ),
    CommunicationMeasured(
        at=2.42,
        run=DDP.id,
        rank=0,
        buckets=[BucketTimes(4096, [2.40], [2.41])],
        synchronised=[1.0],
        unsynchronised=[0.9],
        buffers=[0.05],
    ),
    BandwidthMeasured(at=2.43, run=DDP.id, rank=0, collective="all_reduce", sizes=[1024], seconds=[1e-5]),
    ComputeMeasured(at=2.44, run=DDP.id, rank=0, flop_per_step=1000, peak_flop_per_second=None),
    RankMeasured(
        at=2.5,
        run=DDP.id,
        rank=0,
        stop_reason="2 epochs",
        peak_memory_bytes=[1, None],
        peak_reserved_bytes=[None],
    ),
    RankFinished(at=2.5, run=DDP.id, rank=0, steps=5, samples=500, detail_trouble="out of memory"),
    RankFailed(at=2.6, run=DDP.id, rank=1, kind="raised", message="boom"),
    RunFinished(
        at=2.7,
        run=DDP.id,
        outcome="failed",
        failure=Failure(kind="raised", rank=1, message="boom", log="logs/02-ddp-rank1.log"),
    ),
    Sampled(at=2.8, gpus=[GpuSample(index=0, utilization=50.0)], cpu=CPU_SAMPLE),
    LogMessage(at=2.9, level="warning", text="a\nline"),
    RunsAdded(at=0.0, runs=(replace(SINGLE, id="04-added", attempt=ATTEMPT),)),
    RunTakenOver(at=-2.0, run=SINGLE.id, session="earlier"),
    SessionFinished(at=3.0, outcome="finished"),
]
