"""Moments in a device's work: CUDA events read late, or `perf_counter` where work is done at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import torch

LOOK_SECONDS = 0.002
"""How often it is looked whether a device is done, where others want to hear meanwhile that it is not."""

Mark = float | torch.cuda.Event
"""A moment; only the clock that made it can read it."""


class Clock(Protocol):
    """Marks moments without waiting for the device."""

    device: torch.device

    def mark(self) -> Mark:
        """The moment at which all work submitted so far is done."""

    def reached(self, mark: Mark) -> bool:
        """Whether that moment has come; never waits."""

    def seconds(self, start: Mark, end: Mark) -> float:
        """Seconds between two moments that both have come."""

    def release(self, mark: Mark) -> None:
        """Give a mark back that nobody reads any more."""

    def synchronize(self) -> None:
        """Wait until the device has done all its work."""

    def enter_thread(self) -> None:
        """Make a new thread use this clock's device."""


class HostClock:
    """For a CPU, whose work is done when the call returns."""

    device = torch.device("cpu")

    def mark(self) -> Mark:
        """The time now."""
        return time.perf_counter()

    def reached(self, mark: Mark) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def seconds(self, start: Mark, end: Mark) -> float:
        """The difference."""
        assert isinstance(start, float)
        assert isinstance(end, float)
        return end - start

    def release(self, mark: Mark) -> None:
        """Nothing to give back."""

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def enter_thread(self) -> None:
        """Nothing to select."""


class CudaClock:
    """For one or several GPUs: events are recorded in the first one's current stream, and used again."""

    def __init__(self, devices: Sequence[torch.device]) -> None:
        self.device = devices[0]
        self._devices = list(devices)
        self._free: list[torch.cuda.Event] = []

    def mark(self) -> Mark:
        """An event recorded now."""
        event = self._free.pop() if self._free else torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.device))
        return event

    def reached(self, mark: Mark) -> bool:
        """Whether the device has passed the event."""
        assert isinstance(mark, torch.cuda.Event)
        return bool(mark.query())  # type: ignore[no-untyped-call]

    def seconds(self, start: Mark, end: Mark) -> float:
        """Between the two on the device."""
        assert isinstance(start, torch.cuda.Event)
        assert isinstance(end, torch.cuda.Event)
        return float(start.elapsed_time(end)) / 1000

    def release(self, mark: Mark) -> None:
        """Keep the event for later."""
        assert isinstance(mark, torch.cuda.Event)
        self._free.append(mark)

    def synchronize(self) -> None:
        """Wait for all the devices."""
        for device in self._devices:
            torch.cuda.synchronize(device)

    def enter_thread(self) -> None:
        """A thread starts on device 0, where it would open a context that nobody wants."""
        torch.cuda.set_device(self.device)


def clock_for(devices: Sequence[torch.device]) -> Clock:
    """The clock that fits the devices of one rank."""
    return CudaClock(devices) if devices[0].type == "cuda" else HostClock()


def wait_for(clock: Clock, waiting: Callable[[], None], seconds: float) -> None:
    """Wait until the device has done all its work, calling `waiting` meanwhile for so many seconds at most.

    Beyond these it is no sign of life to wait: the device may hang.
    """
    mark, latest = clock.mark(), time.monotonic() + seconds
    while not clock.reached(mark) and time.monotonic() < latest:
        waiting()
        time.sleep(LOOK_SECONDS)
    clock.synchronize()
    clock.release(mark)
