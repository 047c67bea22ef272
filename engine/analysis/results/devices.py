"""Device utilisation of a run: arithmetic, energy and memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct

from ...host.facts import GpuSample
from ...plan.plan import RunSpec
from ...record.events import RankMeasured
from ...record.history import GpuHistory
from ...record.series import Span, during, highest, mean
from ...record.session import RunState, Session
from ...statistics import median
from .configuration import Configuration
from .datasheet import datasheet_peak
from .throughput import pool

T = TypeVar("T", int, float)
ENERGY_UPDATE_SECONDS = 0.1
"""Longest interval at which NVML updates its energy counter: from 20 to 100 ms, by GPU."""


class Compute(Struct, frozen=True, kw_only=True):
    """Device utilisation of a run, over all devices unless stated otherwise. None: not measured."""

    flop_per_step: int | None
    """FLOP of forward and backward on all ranks, by torch's counter."""
    flop_per_second: float | None
    """FLOP per step over the step time of the windows."""
    flop_per_second_per_device: float | None
    peak_flop_per_second: float | None
    """Peak of one device: a large matrix product in the same precision, on the slowest device."""
    mfu: float | None
    """Model FLOP utilisation: flop_per_second over the measured peaks of all devices; None above 1."""
    datasheet_flop_per_second: float | None
    """Dense peak of one device in this precision by its datasheet; only for devices known by name."""
    joules: float | None
    """Energy of all devices over the measured windows."""
    joules_per_sample: float | None
    samples_per_joule: float | None
    peak_allocated_bytes: int | None
    """Peak memory on any one device; on a CPU, peak resident memory."""
    peak_reserved_bytes: int | None
    """Peak memory reserved by torch's allocator on any one device."""
    device_memory_bytes: int | None
    """Memory of the device with the least headroom."""
    headroom: float | None
    """Share of memory that was free at the peak, on the device with the least."""
    allocator_retries: int | None
    """Retries on all devices."""
    idle: float | None
    """Share of the measured time in which the GPU that was idle most ran no kernel, at least; by NVML."""


def compute(session: Session, configuration: Configuration, window_step: float | None) -> Compute | None:
    """Return how well a configuration used its devices; None where nothing of it was measured.

    `window_step`: a step in the measured windows, s.
    """
    runs, spec = configuration.usable, configuration.spec
    ranks = [rank for _, rank in configuration.ranks]
    if not any(rank.compute or rank.measured for rank in ranks):
        return None
    flop, per_second = _arithmetic(configuration, window_step)
    peak = _peak(runs)
    done = [rank.measured for rank in ranks if rank.measured is not None]
    joules, samples = _energy(spec, done)
    busy = [use.busy for use in gpu_uses(session, configuration) if use.busy is not None]
    headroom, space = min(_headrooms(session, configuration), default=(None, None))
    return Compute(
        flop_per_step=flop,
        flop_per_second=per_second,
        flop_per_second_per_device=None if per_second is None else per_second / spec.device_count,
        peak_flop_per_second=peak,
        mfu=_utilisation(per_second, peak, spec.device_count),
        datasheet_flop_per_second=_datasheet(spec),
        joules=joules,
        joules_per_sample=joules / samples if joules is not None and samples else None,
        samples_per_joule=samples / joules if joules and samples else None,
        peak_allocated_bytes=max(_known(event.peak_memory_bytes for event in done), default=None),
        peak_reserved_bytes=max(_known(event.peak_reserved_bytes for event in done), default=None),
        device_memory_bytes=space,
        headroom=headroom,
        allocator_retries=_retries(done),
        idle=None if not busy else 1 - min(busy),
    )


def _arithmetic(configuration: Configuration, window_step: float | None) -> tuple[int | None, float | None]:
    """Return FLOP per step of all ranks, and per second; None if a rank did not count."""
    spec = configuration.spec
    found = {
        number: rank.compute.flop_per_step
        for number, rank in configuration.ranks
        if rank.compute is not None and rank.compute.flop_per_step is not None
    }
    if len(found) < spec.world_size:
        return None, None
    total = sum(found.values())
    if spec.mode != "concurrent":
        return total, total / window_step if window_step else None
    steps = {
        number: pool([rank.windows for other, rank in configuration.ranks if other == number]).step_seconds
        for number in found
    }
    rates = [found[number] / step for number, step in steps.items() if step]
    return total, sum(rates) if len(rates) == len(found) else None


def _peak(runs: Sequence[RunState]) -> float | None:
    """Return the peak of the slowest rank's device; with repeats, from each rank's median."""
    found: dict[int, list[float]] = {}
    for run in runs:
        for number, rank in run.ranks.items():
            if rank.compute is not None and rank.compute.peak_flop_per_second is not None:
                found.setdefault(number, []).append(rank.compute.peak_flop_per_second)
    return min(map(median, found.values()), default=None)


def _utilisation(per_second: float | None, peak: float | None, devices: int) -> float | None:
    """Return the share of the peaks that training reaches; None if it is above what was to be a peak."""
    share = per_second / (peak * devices) if per_second is not None and peak else None
    return None if share is None or share > 1 else share


def is_above_its_peak(found: Compute | None) -> bool:
    """Return whether training was faster than the product that measured the peak, which something slowed."""
    return (
        found is not None and found.mfu is None and bool(found.flop_per_second and found.peak_flop_per_second)
    )


def _energy(spec: RunSpec, done: Sequence[RankMeasured]) -> tuple[float | None, int | None]:
    """Return joules of all devices and the samples they were spent on; None if a device did not count."""
    joules = [joules for event in done for joules in event.energy_joules]
    known = _known(event.energy_joules for event in done)
    if not known or len(known) < len(joules) or not all(event.energy_joules for event in done):
        return None, None
    samples = [event.energy_samples for event in done if event.energy_samples is not None]
    # A sample of one workload is not one of another.
    whole = len(samples) == len(done) and len(set(spec.workloads)) == 1
    return sum(known), sum(samples) if whole else None


def energy_error(configuration: Configuration) -> float | None:
    """Return the share by which the energy may be wrong, None where it is unknown.

    The counter is read at both ends of each period, windows or an epoch, and either reading may be as old as
    an update.
    """
    errors = [
        max(1, run.spec.measure.epochs) * ENERGY_UPDATE_SECONDS / rank.measured_seconds
        for run in configuration.usable
        for rank in run.ranks.values()
        if rank.measured is not None and _known([rank.measured.energy_joules]) and rank.measured_seconds
    ]
    return max(errors, default=None)


def _headrooms(session: Session, configuration: Configuration) -> Iterator[tuple[float, int]]:
    """Yield for each GPU the share of its memory that was left free at its peak, and that memory in bytes.

    In use is what torch had reserved or, with CUDA's context, NCCL's buffers and other processes, what NVML
    saw in use during the run: whichever is more, since NVML is asked only twice a second.
    """
    memory = {gpu.index: gpu.memory_bytes for gpu in session.host.gpus}
    for run in configuration.usable:
        for number, rank in run.ranks.items():
            if rank.measured is None:
                continue
            devices, peaks = run.spec.devices_of(number), rank.measured.peak_reserved_bytes
            for device, reserved in zip(devices, peaks, strict=False):
                space = memory.get(device.index) if device.kind == "cuda" else None
                if space and reserved is not None:
                    seen = session.gpus.get(device.index)
                    used = highest(seen.memory, configuration.measured_spans) if seen else None
                    yield max(0.0, 1 - max(reserved, used or 0) / space), space


def _retries(done: Iterable[RankMeasured]) -> int | None:
    counts = _known(event.allocator_retries for event in done)
    return sum(counts) if counts else None


def _datasheet(spec: RunSpec) -> float | None:
    peaks = [datasheet_peak(device.name, spec.workload.precision) for device in spec.devices]
    known = [peak for peak in peaks if peak is not None]
    return min(known) if known and len(known) == len(peaks) else None


def _known(lists: Iterable[Sequence[T | None]]) -> list[T]:
    """Return all values that are not None."""
    return [value for values in lists for value in values if value is not None]


class GpuUse(Struct, frozen=True, kw_only=True):
    """Use of one GPU in the measured windows of a configuration. None: not reported."""

    index: int
    busy: float | None
    """Share of time in which a kernel ran."""
    allocated_bytes: int | None
    """Peak memory allocated by torch."""
    used_bytes: int | None
    """Peak memory in use by any process."""
    power_watts: float | None
    """Mean power."""
    clock_mhz: float | None
    """Mean SM clock."""
    temperature: float | None
    """Highest temperature, in degrees Celsius."""
    others: float | None
    """Mean share of time in which kernels of other programs ran."""


def gpu_uses(session: Session, configuration: Configuration) -> tuple[GpuUse, ...]:
    """Return the use of each GPU of a configuration; empty if it was not measured or used none."""
    spans, allocated = configuration.measured_spans, _allocated(configuration)
    return tuple(
        _use(index, session.gpus.get(index), spans, allocated.get(index))
        for index in configuration.gpus
        if spans
    )


def _use(index: int, history: GpuHistory | None, spans: Sequence[Span], allocated: int | None) -> GpuUse:
    seen = history or GpuHistory(GpuSample(index))
    busy, used = mean(during(seen.utilization, spans)), highest(seen.memory, spans)
    others = mean(during(seen.others, spans))
    return GpuUse(
        index=index,
        busy=None if busy is None else busy / 100,
        allocated_bytes=allocated,
        used_bytes=None if used is None else round(used),
        power_watts=mean(during(seen.power, spans)),
        clock_mhz=mean(during(seen.clock, spans)),
        temperature=highest(seen.temperature, spans),
        others=None if others is None else others / 100,
    )


def others_on_cpus(session: Session, configuration: Configuration) -> float | None:
    """Return the mean share of its ranks' CPUs that other programs used in a configuration's windows."""
    others = mean(during(session.cpu.others, configuration.measured_spans))
    return None if others is None else max(0.0, others / 100)


def _allocated(configuration: Configuration) -> dict[int, int]:
    """Return the peak bytes allocated by torch, by GPU."""
    found: dict[int, int] = {}
    for run in configuration.usable:
        for number, rank in run.ranks.items():
            peaks = rank.measured.peak_memory_bytes if rank.measured else []
            for device, peak in zip(run.spec.devices_of(number), peaks, strict=False):
                if device.kind == "cuda" and peak is not None:
                    found[device.index] = max(peak, found.get(device.index, 0))
    return found
