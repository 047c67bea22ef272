"""Sessions with known answers, as the events that would have recorded them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gpubench_tui.engine.analysis.results.phases import PARTS
from gpubench_tui.engine.analysis.sessions.compare import PairComparison, compare_all
from gpubench_tui.engine.host.facts import Cpu, Host, Software
from gpubench_tui.engine.plan.plan import Device, Plan, RunSpec
from gpubench_tui.engine.plan.preset.preset import AnswerKind, Measure, Mode, Published
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    BandwidthMeasured,
    Breakdown,
    BucketTimes,
    Collective,
    CommunicationMeasured,
    ComputeMeasured,
    Evaluation,
    Event,
    Exchange,
    Failure,
    ModelBuilt,
    Piece,
    RankFinished,
    RankMeasured,
    RankStarted,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionStarted,
    Steps,
    Window,
)
from gpubench_tui.engine.record.session import Session, fold

CORES = tuple(Device(kind="cpu", index=i, name=f"core {i}", cores=(i,)) for i in range(4))
GIB = 1 << 30

HOST = Host(
    name="bench",
    cpu=Cpu(model="Some CPU", cores=(0, 1, 2, 3), physical=4, memory_bytes=8 * GIB, load_average=0.25),
    software=Software(python="3.11.9", platform="Linux", torch="2.13.0", torchvision="0.28.0"),
    notes=("NVML was not found, so GPUs cannot be seen",),
)


def spec(
    run: str,
    mode: Mode,
    devices: int = 1,
    *,
    workloads: Sequence[Workload] = (Workload(name="cnn"),),
    baseline: str | None = None,
    measure: Measure = Measure(),  # noqa: B008
    skip: str | None = None,
    on: Sequence[Device] = CORES,
    repeat_of: tuple[str, int] | None = None,
) -> RunSpec:
    """`repeat_of`: the configuration's id, and which repeat of it this is."""
    configuration, repeat = repeat_of or (run, 1)
    return RunSpec(
        id=run,
        configuration=configuration,
        repeat=repeat,
        label=f"{mode} x{devices}" + (f", repeat {repeat}" if repeat_of else ""),
        mode=mode,
        devices=() if skip else tuple(on[:devices]),
        device_count=devices,
        workloads=tuple(workloads),
        measure=measure,
        baseline=baseline,
        skip=skip,
    )


def opening(
    *specs: RunSpec, host: Host = HOST, published: Sequence[Published] = (), answer: AnswerKind = "figure"
) -> list[Event]:
    plan = Plan(
        preset="demo",
        title="A demo",
        question="Is it fast?",
        answer=answer,
        devices=CORES[:2],
        runs=specs,
        published=tuple(published),
    )
    started = SessionStarted(
        at=0.0, session="demo-1", program="0.1.0", unix_time=1.7e9, pid=1, host=host, plan=plan
    )
    skipped = [RunFinished(at=0.0, run=s.id, outcome="skipped", reason=s.skip) for s in specs if s.skip]
    return [started, *skipped]


def rank_up(
    run: str, rank: int, settings: dict[str, str | int | float | bool] | None = None, *, ranks: int = 1
) -> list[Event]:
    """The start of one of so many ranks, which divide the images."""
    return [
        RankStarted(
            at=1.0, run=run, rank=rank, pid=10 + rank, device="cpu", settings=settings or {"threads": 1}
        ),
        ModelBuilt(
            at=1.5,
            run=run,
            rank=rank,
            parameters=1000,
            train_samples=640,
            test_samples=100,
            steps_per_epoch=10 // ranks,
        ),
    ]


def windows(
    run: str, rank: int, seconds: Iterable[float], *, samples: int = 640, steps: int = 5
) -> list[Event]:
    return [
        Window(at=2.0 + i, run=run, rank=rank, index=i, steps=steps, samples=samples, seconds=s)
        for i, s in enumerate(seconds)
    ]


def steps(
    run: str, rank: int, first: int, seconds: Sequence[float], *, at: float = 2.0, samples: int = 100
) -> Steps:
    """Steps whose loss is their number."""
    count = len(seconds)
    return Steps(
        at=at,
        run=run,
        rank=rank,
        first=first,
        seconds=list(seconds),
        loss=[float(first + i) for i in range(count)],
        samples=[samples] * count,
        learning_rate=[0.1] * count,
    )


def evaluations(
    run: str, rank: int, accuracies: Sequence[float | None], *, seconds: float = 3.0
) -> list[Event]:
    return [
        Evaluation(
            at=5.0 + epoch,
            run=run,
            rank=rank,
            epoch=epoch,
            train_loss=1.0,
            train_accuracy=accuracy,
            test_loss=1.25,
            test_accuracy=accuracy,
            seconds=seconds,
        )
        for epoch, accuracy in enumerate(accuracies, 1)
    ]


def rank_measured(
    run: str, rank: int, *, memory: int | None = GIB, replicas_equal: bool | None = None
) -> Event:
    return RankMeasured(
        at=9.0,
        run=run,
        rank=rank,
        stop_reason="time limit of 30 s",
        peak_memory_bytes=[memory],
        peak_reserved_bytes=[None],
        replicas_equal=replicas_equal,
    )


def measured(
    run: str,
    rank_seconds: Sequence[Sequence[float]],
    *,
    settings: dict[str, str | int | float | bool] | None = None,
    samples: int = 640,
) -> list[Event]:
    """A run whose ranks all did their work: for each of them the seconds of its windows."""
    events: list[Event] = [RunStarted(at=0.5, run=run)]
    for rank, seconds in enumerate(rank_seconds):
        events += rank_up(run, rank, settings, ranks=len(rank_seconds))
        events += windows(run, rank, seconds, samples=samples)
        events.append(rank_measured(run, rank, memory=(rank + 1) * GIB))
        events.append(RankFinished(at=9.0, run=run, rank=rank, steps=50, samples=6400))
    return [*events, RunFinished(at=10.0, run=run, outcome="measured")]


def built(run: str, rank: int, buffer_bytes: int, pieces: Sequence[tuple[int, int]] = ()) -> ModelBuilt:
    """`pieces`: bytes of each, and how often it is gathered."""
    return ModelBuilt(
        at=1.6,
        run=run,
        rank=rank,
        parameters=1000,
        train_samples=640,
        test_samples=100,
        steps_per_epoch=10,
        buffer_bytes=buffer_bytes,
        pieces=[Piece(*piece) for piece in pieces],
    )


def breakdown(
    run: str, rank: int, exchange: Mapping[Exchange, Sequence[float]] | None = None, **parts: Sequence[float]
) -> Breakdown:
    """Steps of these parts and what they leave unaccounted; a part that is not given takes no time."""
    count = len(next(iter(parts.values())))
    columns = {name: list(parts.get(name, [0.0] * count)) for name in PARTS}
    step = [sum(values) for values in zip(*columns.values(), strict=True)]
    del columns["unaccounted"]
    operations = {name: list(seconds) for name, seconds in (exchange or {}).items()}
    return Breakdown(at=8.0, run=run, rank=rank, step=step, exchange=operations, **columns)


def communication(
    run: str,
    rank: int,
    buckets: Sequence[tuple[int, Sequence[float], Sequence[float]]] = (),
    synchronised: Sequence[float] = (),
    unsynchronised: Sequence[float] = (),
    buffers: Sequence[float] = (),
) -> CommunicationMeasured:
    """`buckets`: bytes, starts and ends of each, a time a step."""
    return CommunicationMeasured(
        at=8.0,
        run=run,
        rank=rank,
        buckets=[BucketTimes(size, list(start), list(end)) for size, start, end in buckets],
        synchronised=list(synchronised),
        unsynchronised=list(unsynchronised),
        buffers=list(buffers),
    )


def bandwidth(run: str, collective: Collective, seconds: Mapping[int, float]) -> BandwidthMeasured:
    """`seconds` for each size in bytes."""
    return BandwidthMeasured(
        at=8.5,
        run=run,
        rank=0,
        collective=collective,
        sizes=list(seconds),
        seconds=list(seconds.values()),
    )


def arithmetic(run: str, rank: int, flop: int | None, peak: float | None) -> ComputeMeasured:
    return ComputeMeasured(at=8.7, run=run, rank=rank, flop_per_step=flop, peak_flop_per_second=peak)


def failed(run: str, message: str = "out of luck") -> list[Event]:
    failure = Failure(kind="raised", rank=1, message=message, log="logs/a.log")
    return [
        RunStarted(at=0.5, run=run),
        *rank_up(run, 0),
        *windows(run, 0, [1.0]),
        RunFinished(at=10.0, run=run, outcome="failed", failure=failure),
    ]


def session(*parts: Iterable[Event]) -> Session:
    """The session of these events, ended in order."""
    events = [event for part in parts for event in part]
    return fold([*events, SessionFinished(at=60.0, outcome="finished")])


def compare_pair(a: Session, b: Session, past: Sequence[Session] = ()) -> PairComparison:
    """Return the comparison of one session with another."""
    (pair,) = compare_all(a, [b], past).sessions
    return pair
