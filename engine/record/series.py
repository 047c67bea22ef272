"""Curves in bounded memory: a full curve halves its resolution but keeps its extremes."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Bucket(NamedTuple):
    """Consecutive points merged into one."""

    x: float
    """x of the newest point."""
    mean: float
    low: float
    high: float
    points: int


class Series:
    """Points (x, y) in order of arrival, in at most `capacity` buckets of equally many points.

    The newest bucket may still be filling. `capacity` must be even.
    """

    def __init__(self, capacity: int = 1024) -> None:
        if capacity < 2 or capacity % 2:
            raise ValueError(f"a series needs an even capacity, not {capacity}")
        self.capacity = capacity
        self.points = 0
        """Number of points added so far."""
        self.last: float | None = None
        """Newest y."""
        self._per_bucket = 1
        self._x = array("d")
        self._mean = array("d")
        self._low = array("d")
        self._high = array("d")
        # The bucket that is being filled.
        self._count = 0
        self._open_x = self._sum = self._open_low = self._open_high = 0.0

    def __len__(self) -> int:
        return len(self._x) + (self._count > 0)

    def add(self, x: float, y: float) -> None:
        """Add one point."""
        self.add_many((x,), (y,))

    def add_many(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        """Add points in order; `xs` and `ys` have equal length, and a range will do for `xs`."""
        start, end = 0, len(ys)
        while start < end:
            stop = min(end, start + self._per_bucket - self._count)
            part = ys[start:stop]
            low, high = min(part), max(part)
            if self._count == 0:
                self._sum, self._open_low, self._open_high = 0.0, low, high
            elif low < self._open_low or high > self._open_high:
                self._open_low = min(low, self._open_low)
                self._open_high = max(high, self._open_high)
            self._sum += sum(part)
            self._open_x = xs[stop - 1]
            self._count += stop - start
            start = stop
            if self._count == self._per_bucket:
                self._close_bucket()
        if end:
            self.points += end
            self.last = ys[-1]

    def buckets(self, most: int | None = None) -> list[Bucket]:
        """Return the curve in at most `most` buckets, oldest first, keeping extremes."""
        count = len(self)
        parts = count if most is None else min(count, most)
        edges = [count * part // parts for part in range(parts + 1)] if parts else []
        return self._joined(edges)

    def binned(self, start: float, end: float, parts: int) -> list[Bucket]:
        """Return the curve from `start` to `end` in equal bins, oldest first, without empty bins.

        Bin edges do not depend on the points, so a growing curve does not shift.
        """
        xs = self._x[:]
        if self._count:
            xs.append(self._open_x)
        width = (end - start) / parts
        edges = [bisect_left(xs, start + part * width) for part in range(parts)]
        return self._joined([*edges, bisect_right(xs, end)])

    def between(self, start: float, end: float) -> list[Bucket]:
        """Return the buckets whose x lies from `start` to `end`, oldest first."""
        first, after = bisect_left(self._x, start), bisect_right(self._x, end)
        if self._count and after == len(self._x) and start <= self._open_x <= end:
            after += 1
        return self._joined(range(first, after + 1))

    def _joined(self, edges: Sequence[int]) -> list[Bucket]:
        """Merge the buckets between each pair of edges; empty ranges are left out."""
        return [self._join(a, b) for a, b in pairwise(edges) if a < b]

    def _join(self, start: int, end: int) -> Bucket:
        closed = min(end, len(self._x))
        low, high, mean = self._low[start:closed], self._high[start:closed], self._mean[start:closed]
        points, total, x = self._per_bucket * len(mean), self._per_bucket * sum(mean), self._open_x
        if end > closed:
            points, total = points + self._count, total + self._sum
            low.append(self._open_low)
            high.append(self._open_high)
        else:
            x = self._x[end - 1]
        return Bucket(x, total / points, min(low), max(high), points)

    def _close_bucket(self) -> None:
        self._x.append(self._open_x)
        self._mean.append(self._sum / self._count)
        self._low.append(self._open_low)
        self._high.append(self._open_high)
        self._count = 0
        if len(self._x) == self.capacity:
            self._halve()

    def _halve(self) -> None:
        self._per_bucket *= 2
        self._x = self._x[1::2]
        means = zip(self._mean[::2], self._mean[1::2], strict=True)
        self._mean = array("d", [(a + b) / 2 for a, b in means])
        self._low = array("d", map(min, self._low[::2], self._low[1::2]))
        self._high = array("d", map(max, self._high[::2], self._high[1::2]))


Span = tuple[float, float]
"""Start and end, in s since the session started."""


def during(series: Series, spans: Sequence[Span]) -> list[Bucket]:
    """Return the buckets of a curve over time that lie within the spans."""
    return [bucket for bucket in series.buckets() if any(start <= bucket.x <= end for start, end in spans)]


def mean(buckets: Sequence[Bucket]) -> float | None:
    """Return the mean of all points in the buckets; None if there are none."""
    points = sum(bucket.points for bucket in buckets)
    return sum(bucket.mean * bucket.points for bucket in buckets) / points if points else None


def highest(series: Series, spans: Sequence[Span]) -> float | None:
    """Return the maximum of a curve within the spans; None if it has no points there."""
    return max((bucket.high for bucket in during(series, spans)), default=None)
