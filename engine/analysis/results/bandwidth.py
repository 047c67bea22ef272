"""Bandwidth curves: the bandwidth of a collective by size on given ranks, and times predicted from it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct

from ...record.events import BandwidthMeasured, Collective
from ...statistics import median


class CurvePoint(Struct, frozen=True):
    """The measurement of one size."""

    bytes: int
    seconds: float
    algbw: float
    busbw: float


class Curve(Struct, frozen=True, kw_only=True):
    """Bandwidth of a collective by size on otherwise idle ranks, in B/s."""

    collective: Collective
    points: tuple[CurvePoint, ...]
    """Points by increasing size, at least one."""
    latency_seconds: float
    """Time of the smallest size."""
    best_busbw: float

    def seconds(self, size: int) -> float:
        """Predict the time for a size in bytes, interpolated between logarithms of sizes and of times.

        Below the smallest size it is the latency; beyond the greatest the bandwidth is constant.
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
    """Return busbw / algbw as defined by NVIDIA's nccl-tests: traffic on the slowest link per byte."""
    share = (ranks - 1) / ranks
    return 2 * share if collective == "all_reduce" else share


def curve(repeats: Sequence[BandwidthMeasured], ranks: int) -> Curve | None:
    """Return the curve measured by the repeats of a run, at least one; None without a usable size.

    At each size it is the median over the repeats that measured it.
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
