"""Samples of the devices while a session runs, taken when the caller asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .cpu_meter import CpuMeter
from .facts import CpuSample, Gpu, GpuSample
from .gpu.poller import GpuPoller


class DeviceSampler:
    """Samples of the GPUs by NVML and of the CPU by psutil, for one caller at up to 4 Hz.

    `pids` returns the session's current processes. Nothing here raises. A driver that hangs makes the GPUs'
    figures n/a and delays nothing.
    """

    def __init__(self, gpus: Sequence[Gpu], pids: Callable[[], Iterable[int]]) -> None:
        self._poller = GpuPoller(gpus) if gpus else None
        self._meter = CpuMeter(pids)

    def sample(self) -> tuple[list[GpuSample], CpuSample]:
        """Return one sample for each GPU, in the order given, and one of the CPU."""
        gpus = self._poller.sample() if self._poller else []
        return gpus, self._meter.sample()

    def take_notes(self) -> list[str]:
        """Return the notes since the last call: a lost GPU, a missing function, a silent driver."""
        return self._poller.take_notes() if self._poller else []

    def close(self) -> None:
        """Release NVML, within a second even if it hangs."""
        if self._poller:
            self._poller.close()
