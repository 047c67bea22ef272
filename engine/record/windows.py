"""Measured windows in bounded memory: once there are too many, equal numbers of neighbours are merged.

Windows of equal length can be ranked and counted alike; among unequal ones, the longer would vary less yet
count no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

from .events import Window

MOST_WINDOWS = 4096

T = TypeVar("T")


class WindowTotal(Struct):
    """A window over all ranks: samples of all ranks over the seconds of the slowest."""

    index: int
    steps: int
    """Steps of each rank."""
    samples: int
    """Samples of all ranks."""
    seconds: float
    """Time of the slowest rank."""
    ranks: int
    """Number of ranks that have reported the window."""
    at: float = 0.0
    """Time of the last rank's report, in s since the session started."""

    @property
    def throughput(self) -> float:
        """Throughput, in samples/s."""
        return self.samples / self.seconds


class Bounded(Generic[T]):
    """Fewer than `MOST_WINDOWS` windows, each merged from equally many measured ones."""

    def __init__(self, add: Callable[[T, T], T]) -> None:
        self.whole: list[T] = []
        """Complete windows, oldest first."""
        self.length = 1
        """Number of measured windows in each complete one."""
        self._add = add
        self._rest: T | None = None
        self._missing = 1

    @property
    def all(self) -> list[T]:
        """Complete windows, then the one being filled."""
        return self.whole if self._rest is None else [*self.whole, self._rest]

    def append(self, window: T) -> None:
        """Add a measured window."""
        self._rest = window if self._rest is None else self._add(self._rest, window)
        self._missing -= 1
        if self._missing:
            return
        self.whole.append(self._rest)
        if len(self.whole) == MOST_WINDOWS:
            self.whole = list(map(self._add, self.whole[::2], self.whole[1::2]))
            self.length *= 2
        self._rest, self._missing = None, self.length


class RankWindows:
    """The windows of one rank, oldest first."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Total measured time."""
        self._windows = Bounded(_add_windows)

    @property
    def all(self) -> list[Window]:
        """All windows, of equal length except for the last, which may be incomplete."""
        return self._windows.all

    def add(self, window: Window) -> None:
        """Add a window; one without samples or seconds is ignored."""
        if window.seconds > 0 and window.samples > 0:
            self.seconds += window.seconds
            self._windows.append(window)


class RunWindows:
    """The windows of a run: open until every rank has reported them, then complete."""

    def __init__(self, world_size: int) -> None:
        self._complete = Bounded(_add_totals)
        self._open: dict[int, WindowTotal] = {}
        self._world_size = world_size

    @property
    def complete(self) -> list[WindowTotal]:
        """Windows that every rank has reported, all of equal length."""
        return self._complete.whole

    @property
    def length(self) -> int:
        """Number of measured windows merged into each complete one."""
        return self._complete.length

    @property
    def all(self) -> list[WindowTotal]:
        """Complete windows, then those not yet reported by every rank."""
        return [*self._complete.all, *self._open.values()]

    def add(self, window: Window) -> None:
        """Add one rank's part of a window."""
        if window.seconds <= 0 or window.samples <= 0:
            return
        total = self._open.get(window.index)
        if total is None:
            total = WindowTotal(window.index, window.steps, 0, 0.0, 0)
            self._open[window.index] = total
        total.samples += window.samples
        total.seconds = max(total.seconds, window.seconds)
        total.ranks += 1
        total.at = max(total.at, window.at)
        if total.ranks == self._world_size:
            del self._open[window.index]
            self._complete.append(total)
        if len(self._open) > MOST_WINDOWS:  # a rank's messages were lost: the oldest will never be complete
            del self._open[next(iter(self._open))]


def _add_windows(a: Window, b: Window) -> Window:
    return Window(
        at=b.at,
        run=a.run,
        rank=a.rank,
        index=a.index,
        steps=a.steps + b.steps,
        samples=a.samples + b.samples,
        seconds=a.seconds + b.seconds,
        epoch=a.epoch,
    )


def _add_totals(a: WindowTotal, b: WindowTotal) -> WindowTotal:
    return WindowTotal(
        index=a.index,
        steps=a.steps + b.steps,
        samples=a.samples + b.samples,
        seconds=a.seconds + b.seconds,
        ranks=a.ranks,
        at=b.at,
    )
