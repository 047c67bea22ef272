"""Samples of the devices as curves in bounded memory."""

from __future__ import annotations

from ..host.facts import CpuSample, GpuProcess, GpuSample
from .series import Series

MOST_PROCESSES = 256


class GpuHistory:
    """Curves of one GPU's samples over time, in the units of GpuSample; missing values are left out."""

    def __init__(self, sample: GpuSample) -> None:
        self.last = sample
        self.utilization = Series()
        self.memory = Series()
        self.power = Series()
        self.temperature = Series()
        self.clock = Series()
        self.pcie_generation = Series()
        self.pcie_width = Series()
        """Active PCIe lanes."""
        self.pcie_sent = Series()
        self.pcie_received = Series()
        self.ecc_corrected = Series()
        self.ecc_uncorrected = Series()
        self.others = Series()
        """Utilisation by other programs' processes, in percent."""
        self.throttled: dict[str, Series] = {}
        """For each throttle reason, 1 in samples that gave it and 0 in later ones that did not."""
        self.processes: dict[int, GpuProcess] = {}
        """Names by process id of all processes seen on the GPU, up to a few hundred."""

    def add(self, at: float, sample: GpuSample) -> None:
        """Add a sample."""
        self.last = sample
        for series, value in (
            (self.utilization, sample.utilization),
            (self.memory, sample.memory_used_bytes),
            (self.power, sample.power_watts),
            (self.temperature, sample.temperature),
            (self.clock, sample.sm_clock_mhz),
            (self.pcie_generation, sample.pcie_generation),
            (self.pcie_width, sample.pcie_width),
            (self.pcie_sent, sample.pcie_sent),
            (self.pcie_received, sample.pcie_received),
            (self.ecc_corrected, sample.ecc_corrected),
            (self.ecc_uncorrected, sample.ecc_uncorrected),
            (self.others, sample.others_percent),
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
    """Curves of the processor's samples over time."""

    def __init__(self) -> None:
        self.last: CpuSample | None = None
        self.busy = Series()
        """Mean utilisation of all logical CPUs, in percent."""
        self.memory = Series()
        """Memory in use on the machine, in bytes."""
        self.session = Series()
        """CPU time of the session's processes, in percent of one core."""
        self.others = Series()
        """Share of the running ranks' CPUs that other programs used, in percent."""

    def add(self, at: float, sample: CpuSample) -> None:
        """Add a sample."""
        self.last = sample
        if sample.per_core:
            self.busy.add(at, sum(sample.per_core) / len(sample.per_core))
        self.memory.add(at, sample.memory_used_bytes)
        self.session.add(at, sample.session_percent)
        if sample.others_percent is not None:
            self.others.add(at, sample.others_percent)
