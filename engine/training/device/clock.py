"""Moments in a device's work, marked without waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import torch

LOOK_SECONDS = 0.002
"""Interval at which a device is asked whether it is done, where something else is to be done meanwhile."""

Mark = object
"""A moment; only the clock that made it can read it."""


class Clock(Protocol):
    """Marks moments without waiting for the device."""

    device: torch.device

    def mark(self) -> Mark:
        """Return the moment at which all work submitted so far is done."""

    def reached(self, mark: Mark) -> bool:
        """Return whether that moment has come; never waits."""

    def seconds(self, start: Mark, end: Mark) -> float:
        """Return the seconds between two moments, both of which must have passed."""

    def release(self, mark: Mark) -> None:
        """Take back a mark that nobody reads any more."""

    def synchronize(self) -> None:
        """Wait until the device has done all its work."""

    def enter_thread(self) -> None:
        """Make a new thread use this clock's device."""


def wait_for(clock: Clock, waiting: Callable[[], None], seconds: float) -> None:
    """Wait until the device has done all its work, calling `waiting` meanwhile for `seconds` at most.

    A rank that waits longer must stop reporting progress, for its device may hang.
    """
    mark, latest = clock.mark(), time.monotonic() + seconds
    while not clock.reached(mark) and time.monotonic() < latest:
        waiting()
        time.sleep(LOOK_SECONDS)
    clock.synchronize()
    clock.release(mark)
