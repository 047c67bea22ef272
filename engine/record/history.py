"""The devices' samples as curves in bounded memory."""

from __future__ import annotations

from ..host.facts import CpuSample, GpuSample
from .series import Series


class GpuHistory:
    """One GPU's samples: x = at, in the units of GpuSample; what was not available is left out."""

    def __init__(self, sample: GpuSample) -> None:
        self.last = sample
        self.utilization = Series()
        self.memory = Series()
        self.power = Series()
        self.temperature = Series()
        self.clock = Series()

    def add(self, at: float, sample: GpuSample) -> None:
        """Take in a sample."""
        self.last = sample
        for series, value in (
            (self.utilization, sample.utilization),
            (self.memory, sample.memory_used_bytes),
            (self.power, sample.power_watts),
            (self.temperature, sample.temperature),
            (self.clock, sample.sm_clock_mhz),
        ):
            if value is not None:
                series.add(at, value)


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
