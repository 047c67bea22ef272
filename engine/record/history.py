"""The devices' samples as curves in bounded memory."""

from __future__ import annotations

from ..host.facts import CpuSample, GpuProcess, GpuSample
from .series import Series

MOST_PROCESSES = 256


class GpuHistory:
    """One GPU's samples: x = at, in the units of GpuSample; what was not available is left out."""

    def __init__(self, sample: GpuSample) -> None:
        self.last = sample
        self.utilization = Series()
        self.memory = Series()
        self.power = Series()
        self.temperature = Series()
        self.clock = Series()
        self.pcie_generation = Series()
        self.pcie_width = Series()
        """Lanes."""
        self.throttled: dict[str, Series] = {}
        """By reason: 1 in the samples that gave it, 0 in those since the first that did not."""
        self.processes: dict[int, GpuProcess] = {}
        """By process id: all that were seen on the GPU, whosever they are; the first few hundred."""

    def add(self, at: float, sample: GpuSample) -> None:
        """Take in a sample."""
        self.last = sample
        for series, value in (
            (self.utilization, sample.utilization),
            (self.memory, sample.memory_used_bytes),
            (self.power, sample.power_watts),
            (self.temperature, sample.temperature),
            (self.clock, sample.sm_clock_mhz),
            (self.pcie_generation, sample.pcie_generation),
            (self.pcie_width, sample.pcie_width),
        ):
            if value is not None:
                series.add(at, value)
        for reason in sample.throttle or ():
            self.throttled.setdefault(reason, Series())
        for reason, series in self.throttled.items():
            if sample.throttle is not None:
                series.add(at, reason in sample.throttle)
        for process in sample.processes or ():
            if len(self.processes) < MOST_PROCESSES:
                self.processes.setdefault(process.pid, process)


class CpuHistory:
    """The processor's samples: x = at."""

    def __init__(self) -> None:
        self.last: CpuSample | None = None
        self.busy = Series()
        """Mean over all logical CPUs, percent."""
        self.memory = Series()
        """Bytes in use on the machine."""
        self.session = Series()
        """CPU time of the session's processes; 100 is one core."""

    def add(self, at: float, sample: CpuSample) -> None:
        """Take in a sample."""
        self.last = sample
        if sample.per_core:
            self.busy.add(at, sum(sample.per_core) / len(sample.per_core))
        self.memory.add(at, sample.memory_used_bytes)
        self.session.add(at, sample.session_percent)
