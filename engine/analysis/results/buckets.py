"""Gradient buckets: waiting, transfer and exposed time.

All ranks' times share one clock. Until the last rank starts a bucket the others wait; from there to the end
of the last rank is transfer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from msgspec import Struct

from ...record.events import BucketTimes, CommunicationMeasured
from ...statistics import median
from .bandwidth import Curve, bus_factor


class GradientBucket(Struct, frozen=True, kw_only=True):
    """All-reduce of one gradient bucket; times are medians over steps in s, bandwidths in B/s."""

    bytes: int
    waits: dict[int, float]
    """Time from each rank's own start to the last rank's; the rank that waits least is waited for. Waits
    within the error of the shared clock are left out."""
    wait_seconds: float | None
    """Longest wait; None if there is none."""
    transfer_seconds: float
    """Time from the last rank's start to the last rank's end, including queueing of buckets."""
    algbw: float
    """Size over transfer time."""
    busbw: float
    """algbw * 2(N-1)/N."""
    reachable: float | None
    """busbw of the measured curve at this size, on otherwise idle ranks."""
    utilisation: float | None
    """busbw / reachable."""


class BucketSteps(NamedTuple):
    """The buckets of one repeat: times by rank and bucket, of as many steps as all ranks have."""

    ranks: Mapping[int, Sequence[BucketTimes]]
    clock_error: float
    """Error of the difference between the starts of two ranks, in s."""
    early: Mapping[int, Sequence[float]]
    """Time before each step's forward in which a rank broadcasts its model's buffers, in s, by rank."""
    steps: int
    buckets: int


def steps_of(ranks: Mapping[int, CommunicationMeasured], world_size: int) -> BucketSteps | None:
    """Return the bucket times that the ranks of one run report; None unless all report the same buckets."""
    buckets = {rank: reported.buckets for rank, reported in ranks.items() if reported.buckets}
    counts = {len(found) for found in buckets.values()}
    if len(buckets) < world_size or len(counts) != 1:
        return None
    steps = min(len(times) for found in buckets.values() for b in found for times in (b.start, b.end))
    early = {rank: reported.buffers for rank, reported in ranks.items() if len(reported.buffers) >= steps}
    error = sum(sorted(reported.clock_error for reported in ranks.values())[-2:])
    return BucketSteps(buckets, error, early, steps, counts.pop()) if steps else None


def bucket_sizes(repeats: Sequence[BucketSteps]) -> tuple[int, ...]:
    """Return the size in bytes of every bucket of a step, including those with unusable times."""
    return tuple(bucket.bytes for bucket in next(iter(repeats[0].ranks.values())))


def bucket_times(repeats: Sequence[BucketSteps], all_reduce: Curve | None) -> tuple[GradientBucket, ...]:
    """Return each bucket over all steps of all repeats, which must have the same buckets."""
    found = (_bucket(repeats, index, all_reduce) for index in range(repeats[0].buckets))
    return tuple(bucket for bucket in found if bucket is not None)


def exposed(repeats: Sequence[BucketSteps]) -> dict[int, float]:
    """Return by rank the median time of a step in which it communicates without computing, in s.

    It is the time from its last bucket being ready to the end of its last all-reduce, and that of
    broadcasting its buffers.
    """
    return {
        rank: median([early + end - ready for early, _, ready, end in _spans(repeats, rank)])
        for rank in repeats[0].ranks
    }


def broadcasting(repeats: Sequence[BucketSteps]) -> dict[int, float]:
    """Return by rank the median time of broadcasting buffers, in s; empty without buffers."""
    return {
        rank: median([early for early, *_ in _spans(repeats, rank)])
        for rank in repeats[0].ranks
        if any(rank in run.early for run in repeats)
    }


def overlap(repeats: Sequence[BucketSteps]) -> float | None:
    """Return 1 - exposed / all communication (exposed or within the span of the buckets), mean over ranks."""
    shares = []
    for rank in repeats[0].ranks:
        hidden = [
            1 - (early + end - ready) / (early + end - first)
            for early, first, ready, end in _spans(repeats, rank)
            if end > first
        ]
        if not hidden:
            return None
        shares.append(median(hidden))
    return fmean(shares)


def busy_seconds(repeats: Sequence[BucketSteps]) -> float:
    """Return the time of a step in which at least one bucket was being transferred, median over steps."""
    return median(
        [
            _union([_transfer(run, step, index) for index in range(run.buckets)])
            for run in repeats
            for step in range(run.steps)
        ]
    )


def _bucket(repeats: Sequence[BucketSteps], index: int, all_reduce: Curve | None) -> GradientBucket | None:
    ranks = list(repeats[0].ranks)
    size = repeats[0].ranks[ranks[0]][index].bytes
    waits: dict[int, list[float]] = {rank: [] for rank in ranks}
    transfers = []
    for run in repeats:
        for step in range(run.steps):
            start, end = _transfer(run, step, index)
            transfers.append(end - start)
            for rank in ranks:
                waits[rank].append(start - run.ranks[rank][index].start[step])
    transfer = median(transfers)
    if transfer <= 0:  # a clock that is not shared
        return None
    algbw = size / transfer
    busbw = algbw * bus_factor("all_reduce", len(ranks))
    reachable = None
    if all_reduce is not None and busbw:
        reachable = busbw * transfer / all_reduce.seconds(size)
    error = max(run.clock_error for run in repeats)
    typical = {rank: median(times) for rank, times in waits.items()}
    certain = {rank: wait for rank, wait in typical.items() if wait >= error}
    return GradientBucket(
        bytes=size,
        waits=certain,
        wait_seconds=max(certain.values(), default=None),
        transfer_seconds=transfer,
        algbw=algbw,
        busbw=busbw,
        reachable=reachable,
        utilisation=busbw / reachable if reachable else None,
    )


def _transfer(run: BucketSteps, step: int, index: int) -> tuple[float, float]:
    """Return when the last rank started a bucket in a step, and when the last rank was done."""
    times = [rank[index] for rank in run.ranks.values()]
    return max(each.start[step] for each in times), max(each.end[step] for each in times)


def _spans(repeats: Sequence[BucketSteps], rank: int) -> list[tuple[float, float, float, float]]:
    """Return for each step of a rank: broadcasting time, first and last bucket ready, end of the last one."""
    spans = []
    for run in repeats:
        buckets, early = run.ranks[rank], run.early.get(rank, [0.0] * run.steps)
        for step in range(run.steps):
            starts = [bucket.start[step] for bucket in buckets]
            ends = [bucket.end[step] for bucket in buckets]
            spans.append((early[step], min(starts), max(starts), max(ends)))
    return spans


def _union(intervals: Sequence[tuple[float, float]]) -> float:
    """Return the total length of intervals that may overlap."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
