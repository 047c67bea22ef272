"""Sessions of DDP whose steps follow the model of projections exactly, to be counted by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from gpubench_tui.engine.host.facts import Gpu, Host, Link
from gpubench_tui.engine.plan.plan import Device, RunSpec
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, SessionFinished
from gpubench_tui.engine.record.session import Session, fold
from msgspec.structs import replace

from .sessions import HOST, bandwidth, breakdown, communication, measured, opening, spec

LATENCY, BANDWIDTH = 50e-6, 1e9
"""Seconds of a message, and B/s, between the devices."""
SIZES = (4_000_000, 4_000_000)
READY = (0.010, 0.015)
"""When the two buckets are ready in a step, in s."""
BATCH = 64
STEPS = 20
STEPS_A_WINDOW = 5


def ring(size: int, devices: int) -> float:
    """Seconds of an all-reduce."""
    return 2 * (devices - 1) * (LATENCY + size / devices / BANDWIDTH)


def step_seconds(devices: int) -> float:
    """Seconds of a step: each bucket waits until it is ready and the one before is through."""
    end = 0.0
    for ready, size in zip(READY, SIZES, strict=True):
        end = max(end, ready) + (ring(size, devices) if devices > 1 else 0.0)
    return end


def gpu_devices(gpus: int) -> tuple[Device, ...]:
    return tuple(Device(kind="cuda", index=index, name="H200", uuid=f"GPU-{index}") for index in range(gpus))


def gpu_host(gpus: int, island: int | None = None) -> Host:
    """A machine of GPUs, all connected alike, or in islands of so many by NVLink."""
    size = island or gpus
    links = tuple(
        Link(a, b, "NV18" if a // size == b // size else "SYS") for a, b in combinations(range(gpus), 2)
    )
    return replace(HOST, gpus=tuple(Gpu(index, f"GPU-{index}", "H200") for index in range(gpus)), links=links)


def ring_session(counts: Sequence[int], **how: Any) -> Session:
    """The session of `ring_events`."""
    return fold(ring_events(counts, **how))


def ring_events(
    counts: Sequence[int],
    *,
    host: Host | None = None,
    late: Mapping[int, Sequence[float]] | None = None,
    longer: Mapping[int, float] | None = None,
    details: bool = True,
    accumulate: int = 1,
    broadcasting: float = 0.0,
) -> list[Event]:
    """A session that measured these numbers of devices, 1 as `single`.

    `late`: by rank, seconds by which each of its steps is late, in turn; `longer`: by number of devices, the
    ratio of their measured step to that of the model; without `details`, nothing is known of the buckets;
    `broadcasting`: seconds of the model's buffers before each step.
    """
    machine = host or gpu_host(max(counts))
    workload = Workload(name="cnn", batch=BATCH, accumulate=accumulate)
    specs = [
        spec(
            f"{place:02}-x{devices}",
            "single" if devices == 1 else "ddp",
            devices,
            workloads=[workload],
            on=gpu_devices(devices),
        )
        for place, devices in enumerate(counts, 1)
    ]
    runs = [event for each in specs for event in _run(each, late or {}, longer or {}, details, broadcasting)]
    return [*opening(*specs, host=machine), *runs, SessionFinished(at=60.0, outcome="finished")]


def _run(
    planned: RunSpec,
    late: Mapping[int, Sequence[float]],
    longer: Mapping[int, float],
    details: bool,
    early: float,
) -> Iterator[Event]:
    devices = planned.device_count
    step = step_seconds(devices) * longer.get(devices, 1.0)
    seconds = [STEPS_A_WINDOW * step * (1 + 0.001 * (-1) ** window) for window in range(6)]
    samples = BATCH * STEPS_A_WINDOW * planned.workload.accumulate
    yield from measured(planned.id, [seconds] * devices, samples=samples)
    if not details or devices == 1:
        return
    for rank in range(devices):
        yield from _detail(planned.id, rank, devices, late.get(rank, (0.0,)), early)
    sizes = [1 << power for power in range(10, 29, 2)]
    yield bandwidth(planned.id, "all_reduce", {size: ring(size, devices) for size in sizes})


def _detail(run: str, rank: int, devices: int, late: Sequence[float], early: float) -> Iterator[Event]:
    delays = [late[step % len(late)] for step in range(STEPS)]
    step = step_seconds(devices)
    whole = READY[-1]
    yield breakdown(
        run,
        rank,
        forward=[0.005 + delay for delay in delays],
        backward=[0.008] * STEPS,
        exposed=[step - whole + early] * STEPS,
        optimizer=[whole - 0.013] * STEPS,
    )
    buckets, end = [], 0.0
    for ready, size in zip(READY, SIZES, strict=True):
        begins = max(end, ready)
        end = begins + ring(size, devices)
        starts = [100.0 + number + ready for number in range(STEPS)]
        buckets.append((size, starts, [100.0 + number + end for number in range(STEPS)]))
    yield communication(run, rank, buckets, buffers=[early] * STEPS if early else [])
