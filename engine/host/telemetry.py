"""Samples of the devices while a session runs, taken when the caller asks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from msgspec.structs import replace

from .cpu_meter import CpuMeter
from .facts import CpuSample, Gpu, GpuSample
from .gpu.poller import GpuPoller


class DeviceSampler:
    """Samples of the GPUs by NVML and of the CPU by psutil, for one caller at up to 4 Hz.

    `pids` returns the session's current processes, `cores` the logical CPUs of its running ranks. Nothing
    here raises. A driver that hangs makes the GPUs' figures n/a and delays nothing.
    """

    def __init__(
        self,
        gpus: Sequence[Gpu],
        pids: Callable[[], Iterable[int]],
        cores: Callable[[], Collection[int]] = frozenset,
    ) -> None:
        self._poller = GpuPoller(gpus) if gpus else None
        self._pids = pids
        self._own = frozenset(pids())
        self._meter = CpuMeter(lambda: self._own, cores)

    def sample(self) -> tuple[list[GpuSample], CpuSample]:
        """Return one sample for each GPU, in the order given, and one of the CPU."""
        self._own = frozenset(self._pids())
        gpus = self._poller.sample() if self._poller else []
        return [replace(gpu, others_percent=self._others(gpu)) for gpu in gpus], self._meter.sample()

    def _others(self, gpu: GpuSample) -> float | None:
        """Return the share of a GPU that processes of others used, in percent; None where it is not known."""
        processes = gpu.processes or ()
        shares = [each.utilization for each in processes if each.pid not in self._own]
        # In a container the driver may number processes otherwise: then none of ours is there.
        if len(shares) == len(processes) or None in shares:
            return None
        return sum(share for share in shares if share is not None)

    def take_notes(self) -> list[str]:
        """Return the notes since the last call: a lost GPU, a missing function, a silent driver."""
        return self._poller.take_notes() if self._poller else []

    def close(self) -> None:
        """Release NVML, within a second even if it hangs."""
        if self._poller:
            self._poller.close()
