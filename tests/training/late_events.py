"""A rank whose clock reads CUDA events: stand-ins that are reached some time after they were recorded."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import torch
from gpubench_tui.engine.plan.assignment import Assignment
from gpubench_tui.engine.training import worker
from gpubench_tui.engine.training.device.clock import Clock, Mark
from gpubench_tui.engine.training.device.cpu import CpuDevices
from gpubench_tui.engine.training.device.cuda import CudaClock

LATE = 0.003
"""Seconds by which the device is behind the host."""


class LateEvent:
    """In the place of torch.cuda.Event, and as strict."""

    newest = 0.0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        self._at: float | None = None

    def record(self, stream: str) -> None:
        assert stream == "stream of cpu"
        self._at = time.perf_counter() + LATE
        LateEvent.newest = self._at

    def query(self) -> bool:
        return self._at is None or time.perf_counter() >= self._at

    def elapsed_time(self, end: LateEvent) -> float:
        assert self._at is not None
        assert end._at is not None
        if not (self.query() and end.query()):
            raise RuntimeError("CUDA error: device not ready")
        return 1000 * (end._at - self._at)


class StrictClock(CudaClock):
    """Refuses marks that it was given back."""

    def reached(self, mark: Mark) -> bool:
        assert mark not in self._free
        return super().reached(mark)

    def seconds(self, start: Mark, end: Mark) -> float:
        assert start not in self._free
        assert end not in self._free
        return super().seconds(start, end)

    def release(self, mark: Mark) -> None:
        assert mark not in self._free
        super().release(mark)


def synchronize(device: torch.device) -> None:
    time.sleep(max(0.0, LateEvent.newest - time.perf_counter()))


def new_clock(devices: CpuDevices) -> Clock:
    return StrictClock(devices.each)


def work(assignment: Assignment, queues: Sequence[Any]) -> None:
    """Do all that a rank does."""
    assert os.environ["RANK"]
    torch.cuda.Event = LateEvent  # type: ignore[misc, assignment]
    torch.cuda.current_stream = lambda device: f"stream of {device}"  # type: ignore[assignment]
    torch.cuda.synchronize = synchronize  # type: ignore[assignment]
    torch.cuda.set_device = lambda device: None
    CpuDevices.new_clock = new_clock  # type: ignore[method-assign]
    worker.work(assignment, queues)
