"""Bandwidth of the ranks' collectives on otherwise idle devices, for sizes from 1 KiB to 256 MiB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
import torch.distributed as dist

from ...plan.preset.preset import Mode
from ...record.events import Collective
from ...statistics import median
from ..device.clock import Clock
from ..device.devices import RankDevices
from ..parallel.group import Group

OF_MODE: dict[Mode, tuple[Collective, ...]] = {
    "ddp": ("all_reduce",),
    "fsdp": ("all_gather", "reduce_scatter"),
}
"""The collectives that carry a mode's gradients and parameters; the other modes use none."""

SMALLEST, FACTOR, LARGEST = 1024, 4, 256 * 1024**2
MEMORY_SHARE = 0.125
"""Share of the free memory for one buffer: backends take about as much again, ranks may share a device."""
SECONDS = 2.0
"""Approximate limit for all sizes of a collective; sizes that would exceed it are left out."""
SIZE_SECONDS = 0.1
"""Approximate duration of all repetitions of one size."""
FEWEST, MOST = 3, 20
"""Repetitions of one size."""
REPETITION_SECONDS = 0.001
"""Approximate minimum duration of a repetition: small sizes are sent several times in a row."""


def measure_bandwidth(
    collective: Collective, group: Group, devices: RankDevices, clock: Clock
) -> tuple[list[int], list[float]]:
    """Return sizes in bytes, as nccl-tests counts them (the whole buffer), and the seconds of each.

    A time is the median over repetitions of the slowest rank's. All ranks of the group must call this
    together; they get the same figures and decide by them how often a size is repeated and which is the last.
    """
    sizes: list[int] = []
    medians: list[float] = []
    spent = 0.0
    for size in fitting_sizes(group, devices):
        expected = FACTOR * medians[-1] if medians and size > 1024**2 else 0.0
        if spent + (2 + FEWEST) * expected > SECONDS:
            break
        count = size // (4 * group.world_size)
        operate = prepare(collective, count, group, devices.first)
        repeat(operate, 1, 1, clock)
        (once,) = slowest(group, repeat(operate, 1, 1, clock))
        in_a_row = min(MOST, max(1, round(REPETITION_SECONDS / once)))
        repetitions = min(MOST, max(FEWEST, round(SIZE_SECONDS / (once * in_a_row))))
        times = slowest(group, repeat(operate, repetitions, in_a_row, clock))
        spent += 2 * once + sum(times)
        sizes.append(4 * group.world_size * count)
        medians.append(median(times) / in_a_row)
    return sizes, medians


def fitting_sizes(group: Group, devices: RankDevices) -> Iterator[int]:
    """Yield the sizes for which all ranks have memory, at least the smallest."""
    own = devices.free_memory(group.world_size)
    room = MEMORY_SHARE * min(free for (free,) in group.gather([own]))
    size = SMALLEST
    while size <= LARGEST and (size <= room or size == SMALLEST):
        yield size
        size *= FACTOR


def prepare(collective: Collective, count: int, group: Group, device: torch.device) -> Callable[[], object]:
    """Return a function that does the collective once, on `count` float32 values for each rank."""
    whole = torch.zeros(count * group.world_size, device=device)
    if collective == "all_reduce":
        return lambda: dist.all_reduce(whole)
    part = torch.zeros(count, device=device)
    if collective == "all_gather":
        return lambda: dist.all_gather_into_tensor(whole, part)
    return lambda: dist.reduce_scatter_tensor(part, whole)


def repeat(operate: Callable[[], object], repetitions: int, in_a_row: int, clock: Clock) -> list[float]:
    """Return the seconds of each repetition; in one the operation is done several times in a row."""
    clock.synchronize()
    marks = [clock.mark()]
    for _ in range(repetitions):
        for _ in range(in_a_row):
            operate()
        marks.append(clock.mark())
    clock.synchronize()
    seconds = [clock.seconds(start, end) for start, end in pairwise(marks)]
    for mark in marks:
        clock.release(mark)
    return seconds


def slowest(group: Group, seconds: list[float]) -> list[float]:
    """Return the slowest rank's time of each repetition."""
    return [max(times) for times in zip(*group.gather(seconds), strict=True)]
