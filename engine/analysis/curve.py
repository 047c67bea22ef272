"""Bandwidth curves: what a collective reaches on these ranks by size, and what that predicts."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from ..record.events import Bandwidth

Collective = Literal["all_reduce", "all_gather", "reduce_scatter"]


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


def curve(measured: Bandwidth, ranks: int) -> Curve | None:
    """The curve of what was measured; None where that holds no usable size."""
    factor = bus_factor(measured.collective, ranks)
    points = sorted(_points(zip(measured.sizes, measured.seconds, strict=False), factor), key=_size)
    if not points:
        return None
    return Curve(
        collective=measured.collective,
        points=tuple(points),
        latency_seconds=points[0].seconds,
        best_busbw=max(point.busbw for point in points),
    )


def _points(measured: Iterable[tuple[int, float]], factor: float) -> Iterable[CurvePoint]:
    for size, seconds in dict(measured).items():
        if size > 0 and seconds > 0:
            yield CurvePoint(size, seconds, size / seconds, factor * size / seconds)


def _size(point: CurvePoint) -> int:
    return point.bytes
