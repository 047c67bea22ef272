"""A curve in bounded memory: when full it halves its resolution, and keeps its extremes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Bucket(NamedTuple):
    """Consecutive points drawn as one."""

    x: float
    """Of the newest of them."""
    mean: float
    low: float
    high: float
    points: int


class Series:
    """Points (x, y) in the order they came, in at most `capacity` buckets of equally many points.

    The newest bucket may still be filling. `capacity` is an even number.
    """

    def __init__(self, capacity: int = 1024) -> None:
        if capacity < 2 or capacity % 2:
            raise ValueError(f"a series needs an even capacity, not {capacity}")
        self.capacity = capacity
        self.points = 0
        """Points added so far."""
        self.last: float | None = None
        """The newest y."""
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
        """Add points one after the other; a range and a list will do. As many xs as ys."""
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
        """The curve in at most `most` buckets, oldest first, extremes kept."""
        closed = zip(self._x, self._mean, self._low, self._high, strict=True)
        buckets = [Bucket(*values, self._per_bucket) for values in closed]
        if self._count:
            mean = self._sum / self._count
            buckets.append(Bucket(self._open_x, mean, self._open_low, self._open_high, self._count))
        if most is None or len(buckets) <= most:
            return buckets
        edges = [len(buckets) * part // most for part in range(most + 1)]
        return [_join(buckets[a:b]) for a, b in pairwise(edges)]

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


def _join(buckets: list[Bucket]) -> Bucket:
    points = sum(bucket.points for bucket in buckets)
    return Bucket(
        x=buckets[-1].x,
        mean=sum(bucket.mean * bucket.points for bucket in buckets) / points,
        low=min(bucket.low for bucket in buckets),
        high=max(bucket.high for bucket in buckets),
        points=points,
    )
