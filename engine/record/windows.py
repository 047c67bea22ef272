"""Measured windows in bounded memory: when there are too many, as many neighbours are added up everywhere.

Windows of one length can be ranked and counted; of different lengths the longer ones would vary less, and be
counted as little as the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

from .events import Window

MOST_WINDOWS = 4096

T = TypeVar("T")


class WindowTotal(Struct):
    """A window over all ranks: everyone's samples over the slowest rank's seconds."""

    index: int
    steps: int
    """Of each rank."""
    samples: int
    """Of all ranks."""
    seconds: float
    """Of the slowest rank."""
    ranks: int
    """How many ranks have reported it."""
    at: float = 0.0
    """When the last of them did."""

    @property
    def throughput(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds


class Bounded(Generic[T]):
    """Fewer than `MOST_WINDOWS` windows, of equally many measured ones each."""

    def __init__(self, add: Callable[[T, T], T]) -> None:
        self.whole: list[T] = []
        """Oldest first."""
        self.length = 1
        """How many measured windows each of them is."""
        self._add = add
        self._rest: T | None = None
        self._missing = 1

    @property
    def all(self) -> list[T]:
        """The whole windows, then what there is of the next one."""
        return self.whole if self._rest is None else [*self.whole, self._rest]

    def append(self, window: T) -> None:
        """Take in a measured window."""
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
        """Measured time."""
        self._windows = Bounded(_add_windows)

    @property
    def all(self) -> list[Window]:
        """All of one length but the last, which may have begun only."""
        return self._windows.all

    def add(self, window: Window) -> None:
        """Take in a window; one without samples or seconds says nothing and is left out."""
        if window.seconds > 0 and window.samples > 0:
            self.seconds += window.seconds
            self._windows.append(window)


class RunWindows:
    """The windows of a run: open until each of its ranks has reported them, then complete."""

    def __init__(self, world_size: int) -> None:
        self._complete = Bounded(_add_totals)
        self._open: dict[int, WindowTotal] = {}
        self._world_size = world_size

    @property
    def complete(self) -> list[WindowTotal]:
        """Windows that every rank has reported, all of one length."""
        return self._complete.whole

    @property
    def length(self) -> int:
        """How many measured windows each of the complete ones is."""
        return self._complete.length

    @property
    def all(self) -> list[WindowTotal]:
        """The complete windows, then those that some rank has yet to report."""
        return [*self._complete.all, *self._open.values()]

    def add(self, window: Window) -> None:
        """Take in a rank's part of a window."""
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
