"""A share of the CPU as a rank's device: work is done when the call returns."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch
from torch import Tensor

from ..errors import TrainingError
from .clock import Clock, Mark
from .devices import Peaks, Settings


class HostClock:
    """Reads `time.perf_counter`."""

    device = torch.device("cpu")

    def mark(self) -> Mark:
        """Return the time now."""
        return time.perf_counter()

    def reached(self, mark: Mark) -> bool:  # noqa: ARG002
        """Return True: work is done when it has been submitted."""
        return True

    def seconds(self, start: Mark, end: Mark) -> float:
        """Return the difference."""
        assert isinstance(start, float)
        assert isinstance(end, float)
        return end - start

    def release(self, mark: Mark) -> None:
        """Do nothing: a mark holds no resource."""

    def synchronize(self) -> None:
        """Do nothing: there is nothing to wait for."""

    def enter_thread(self) -> None:
        """Do nothing: there is one CPU."""


class CpuDevices:
    """The cores that this process is pinned to."""

    each: Sequence[torch.device] = (torch.device("cpu"),)
    indices: list[int] | None = None
    fuses_optimizers = False
    pins_memory = False
    product_sizes: Sequence[int] = (256, 512, 1024, 2048, 4096)
    product_seconds = 0.01

    @property
    def first(self) -> torch.device:
        """The CPU."""
        return self.each[0]

    def split(self) -> Sequence[CpuDevices]:
        """Return itself alone: a share of the cores is one device."""
        return [self]

    def new_clock(self) -> Clock:
        """Return a clock of the host's."""
        return HostClock()

    def host_buffer(self, values: int) -> Tensor:
        """Return uninitialised float32 memory."""
        return torch.empty(values)

    def upload(self, tensor: Tensor) -> Tensor:
        """Return the tensor, which is there already."""
        return tensor

    def describe(self) -> str:
        """Name the device with its threads: `cpu (1 thread)`."""
        threads = torch.get_num_threads()
        return f"cpu ({threads} thread{'s' if threads > 1 else ''})"

    def settings(self, backend: str) -> Settings:  # noqa: ARG002
        """Return nothing: a CPU has no libraries of its own."""
        return {}

    def reset_peaks(self) -> None:
        """Forget the most resident memory; where this is not allowed the peak is that since the start."""
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")

    def peaks(self) -> Peaks:
        """Return the most resident memory."""
        return [_peak_resident()], [None]

    def allocator_retries(self) -> list[int | None]:
        """Return None: there is no caching allocator."""
        return [None]

    def free_memory(self, ranks: int) -> float:
        """Return this rank's part of the main memory that is available."""
        return psutil.virtual_memory().available / ranks

    def require_sharding(self) -> None:
        """Raise TrainingError where torch is too old for FSDP2 on a CPU."""
        if not hasattr(torch.cpu.Stream, "record_event"):
            raise TrainingError(
                f"fsdp on a CPU needs torch 2.7 or newer, and {torch.__version__} is installed"
            )


def _peak_resident() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
