"""What a run's GPUs did while it was measured, one by one."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..host.facts import GpuSample
from ..record.history import GpuHistory
from ..record.session import RunState, Session
from .results.configuration import usable
from .spans import Span, during, highest, mean, measured_spans


class GpuUse(Struct, frozen=True, kw_only=True):
    """One GPU in the measured windows of a run, of all its repeats; None is what was not told."""

    index: int
    busy: float | None
    """Share of the time in which a kernel ran."""
    allocated_bytes: int | None
    """Most that torch had allocated on it."""
    used_bytes: int | None
    """Most in use on it, by whomever."""
    power_watts: float | None
    """Mean."""
    clock_mhz: float | None
    """Mean of its SM clock."""
    temperature: float | None
    """Highest, degrees Celsius."""


def gpu_uses(session: Session, repeats: Sequence[RunState]) -> tuple[GpuUse, ...]:
    """Each GPU of a configuration; none of one that was not measured or used no GPU."""
    spans, allocated = measured_spans(repeats), _allocated(repeats)
    gpus = [device.index for device in repeats[0].spec.devices if device.kind == "cuda"]
    return tuple(_use(index, session.gpus.get(index), spans, allocated.get(index)) for index in gpus if spans)


def _use(index: int, history: GpuHistory | None, spans: Sequence[Span], allocated: int | None) -> GpuUse:
    seen = history or GpuHistory(GpuSample(index))
    busy, used = mean(during(seen.utilization, spans)), highest(seen.memory, spans)
    return GpuUse(
        index=index,
        busy=None if busy is None else busy / 100,
        allocated_bytes=allocated,
        used_bytes=None if used is None else round(used),
        power_watts=mean(during(seen.power, spans)),
        clock_mhz=mean(during(seen.clock, spans)),
        temperature=highest(seen.temperature, spans),
    )


def _allocated(repeats: Sequence[RunState]) -> dict[int, int]:
    """Most bytes that torch had allocated, by GPU."""
    found: dict[int, int] = {}
    for run in usable(repeats):
        for number, rank in run.ranks.items():
            peaks = rank.finished.peak_memory_bytes if rank.finished else []
            for device, peak in zip(run.spec.devices_of(number), peaks, strict=False):
                if device.kind == "cuda" and peak is not None:
                    found[device.index] = max(peak, found.get(device.index, 0))
    return found
