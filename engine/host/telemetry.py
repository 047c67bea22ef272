"""What the machine does while a session runs, sampled when the caller asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .cpu_meter import CpuMeter
from .facts import CpuSample, Gpu, GpuSample
from .gpu_poller import GpuPoller


class Sampler:
    """Samples of the GPUs by NVML and of the CPU by psutil, for one caller at up to 4 Hz.

    `pids` gives the session's own processes at the moment. Nothing here raises, and a driver that hangs
    makes the GPUs' figures n/a and delays nothing.
    """

    def __init__(self, gpus: Sequence[Gpu], pids: Callable[[], Iterable[int]]) -> None:
        self._poller = GpuPoller(gpus) if gpus else None
        self._meter = CpuMeter(pids)

    def sample(self) -> tuple[list[GpuSample], CpuSample]:
        """One sample for each GPU, in the order given, and one of the CPU."""
        gpus = self._poller.sample() if self._poller else []
        return gpus, self._meter.sample()

    def take_notes(self) -> list[str]:
        """Sentences to be said once, since the last call: a GPU lost, a function missing, a silent driver."""
        return self._poller.take_notes() if self._poller else []

    def close(self) -> None:
        """Let go of NVML, within a second even if it hangs."""
        if self._poller:
            self._poller.close()
