"""Bandwidth curves: what a collective reaches on these ranks by size, and what that predicts."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct

from ...record.events import BandwidthMeasured, Collective
from ...statistics import median


class CurvePoint(Struct, frozen=True):
    """One size."""

    bytes: int
    seconds: float
    algbw: float
    busbw: float


class Curve(Struct, frozen=True, kw_only=True):
    """What a collective reaches on these ranks when nothing else is done; measured, bandwidths in B/s."""

    collective: Collective
    points: tuple[CurvePoint, ...]
    """By size, at least one."""
    latency_seconds: float
    """The time of the smallest size."""
    best_busbw: float

    def seconds(self, size: int) -> float:
        """Predicted time for so many bytes: interpolated between the logarithms of sizes and of times.

        Below the smallest size it is the latency; beyond the greatest the bandwidth stays what it was.
        """
        points = self.points
        place = bisect_left([point.bytes for point in points], size)
        if place == 0:
            return points[0].seconds
        if place == len(points):
            return points[-1].seconds * size / points[-1].bytes
        a, b = points[place - 1], points[place]
        share = math.log(size / a.bytes) / math.log(b.bytes / a.bytes)
        return math.exp((1 - share) * math.log(a.seconds) + share * math.log(b.seconds))


def bus_factor(collective: Collective, ranks: int) -> float:
    """busbw / algbw by NVIDIA's nccl-tests: what crosses the slowest link for each byte of the buffer."""
    share = (ranks - 1) / ranks
    return 2 * share if collective == "all_reduce" else share


def curve(repeats: Sequence[BandwidthMeasured], ranks: int) -> Curve | None:
    """The curve of what the repeats of a run measured, at least one; None where they hold no usable size.

    Of each size the median over the repeats that came to it.
    """
    measured: dict[int, list[float]] = {}
    for repeat in repeats:
        for size, seconds in dict(zip(repeat.sizes, repeat.seconds, strict=False)).items():
            if size > 0 and seconds > 0:
                measured.setdefault(size, []).append(seconds)
    if not measured:
        return None
    factor = bus_factor(repeats[0].collective, ranks)
    times = {size: median(measured[size]) for size in sorted(measured)}
    points = [CurvePoint(size, each, size / each, factor * size / each) for size, each in times.items()]
    return Curve(
        collective=repeats[0].collective,
        points=tuple(points),
        latency_seconds=points[0].seconds,
        best_busbw=max(point.busbw for point in points),
    )
