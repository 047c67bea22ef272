"""Measured windows in bounded memory: neighbours are added up when there are too many."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

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

    @property
    def throughput(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds


class RankWindows:
    """The windows of one rank, oldest first."""

    def __init__(self) -> None:
        self.all: list[Window] = []
        self.seconds = 0.0
        """Measured time."""

    def add(self, window: Window) -> None:
        """Take in a window; one without samples or seconds says nothing and is left out."""
        if window.seconds > 0 and window.samples > 0:
            self.seconds += window.seconds
            self.all.append(window)
            if len(self.all) > MOST_WINDOWS:
                self.all = pairwise(self.all, _add_windows)


class RunWindows:
    """The windows of a run: open until each of its ranks has reported them, then complete."""

    def __init__(self, world_size: int) -> None:
        self.complete: list[WindowTotal] = []
        self._open: dict[int, WindowTotal] = {}
        self._world_size = world_size

    @property
    def all(self) -> list[WindowTotal]:
        """The complete windows, then those that some rank has yet to report."""
        return [*self.complete, *self._open.values()]

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
        if total.ranks == self._world_size:
            del self._open[window.index]
            self.complete.append(total)
        self._stay_bounded()

    def _stay_bounded(self) -> None:
        if len(self.complete) > MOST_WINDOWS:
            self.complete = pairwise(self.complete, _add_totals)
        if len(self._open) > MOST_WINDOWS:  # a rank's messages were lost: the oldest will never be complete
            del self._open[next(iter(self._open))]


def pairwise(items: list[T], add: Callable[[T, T], T]) -> list[T]:
    """Each two neighbours added up, a last one without a partner as it is."""
    pairs = zip(items[::2], items[1::2], strict=False)
    return [add(a, b) for a, b in pairs] + items[len(items) & ~1 :]


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
    return WindowTotal(a.index, a.steps + b.steps, a.samples + b.samples, a.seconds + b.seconds, a.ranks)
