"""What diagnoses rest on, as the events that would have recorded it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gpubench_tui.engine.host.facts import CpuSample, Gpu, GpuSample, Host, Link
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.record.events import Event, RankMeasured, Sampled
from msgspec.structs import replace

from building.sessions import GIB, HOST, communication

GPUS = tuple(Device(kind="cuda", index=i, name="NVIDIA H200", uuid=f"GPU-{i}") for i in range(4))
STEADY = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98]
STEP = 0.2
"""Seconds of a step in the windows of five steps above."""


def gpu_host(kind: str = "NV18", peer_access: bool | None = None, **of_each: object) -> Host:
    gpus = tuple(
        replace(
            Gpu(i, f"GPU-{i}", "NVIDIA H200", memory_bytes=100 * GIB, compute_capability=(9, 0)), **of_each
        )
        for i in range(4)
    )
    links = tuple(Link(a, b, kind, peer_access) for a in range(4) for b in range(a + 1, 4))
    return replace(HOST, gpus=gpus, links=links)


def sampled(*gpus: GpuSample, cpu: CpuSample | None = None) -> list[Event]:
    """The devices every half second while the windows of `STEADY` are measured, idle before and after."""
    idle = [replace(gpu, utilization=0.0, sm_clock_mhz=300.0, throttle=()) for gpu in gpus]
    idle = [replace(gpu, pcie_generation=gpu.pcie_generation and 1) for gpu in idle]
    quiet = cpu or CpuSample((10.0,) * 4, GIB, 8 * GIB, 40.0, GIB)
    times = [half / 2 for half in range(30)]
    return [Sampled(at=at, gpus=list(gpus) if 1 <= at <= 7 else idle, cpu=quiet) for at in times]


def gpu_sample(**given: object) -> GpuSample:
    whole = GpuSample(0, utilization=99.0, sm_clock_mhz=1900.0, sm_clock_max_mhz=1980.0, throttle=())
    return replace(whole, **given)


def exchange(
    run: str,
    exposed: Sequence[float],
    with_sync: float,
    without: float,
    noise: float = 0.001,
    buckets: int = 1,
) -> Iterable[Event]:
    """Buckets of each rank whose all-reduces end together, and turns with and without synchronisation."""
    turns = [noise * wobble for wobble in (0, 1, -1, 2, -2, 1, 0, -1)]
    for rank, seconds in enumerate(exposed):
        yield communication(
            run,
            rank,
            [(1000, [100.0 + i - seconds for i in range(8)], [100.0 + i for i in range(8)])] * buckets,
            synchronised=[with_sync + wobble for wobble in turns],
            unsynchronised=[without - wobble for wobble in turns],
        )


def finished(run: str, reserved: int, retries: int) -> Event:
    return RankMeasured(
        at=9.2,
        run=run,
        rank=0,
        stop_reason="",
        peak_memory_bytes=[GIB],
        peak_reserved_bytes=[reserved],
        allocator_retries=[retries],
    )
