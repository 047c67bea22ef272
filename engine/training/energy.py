"""Energy of a rank's GPUs, by NVML's counters."""

from __future__ import annotations

from collections.abc import Sequence

from ..host.facts import Gpu
from ..host.gpu.devices import NvmlDevice, find_device
from ..host.gpu.nvml import Nvml, NvmlUnavailable
from ..plan.plan import Device


class EnergyMeter:
    """Adds up the energy of several periods, each from `begin` to `end`."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self.joules: list[float | None] = [0.0] * len(devices)
        """Energy of each device so far; None where it has no counter, or the counter failed."""
        self._samples = 0
        self._counters = _counters(devices)
        self._begun: list[float | None] = []

    @property
    def samples(self) -> int | None:
        """Samples consumed in those periods; None where no device has a counter."""
        return self._samples if any(joules is not None for joules in self.joules) else None

    def begin(self, samples: int) -> None:
        """Begin a period; `samples` is the number consumed so far."""
        self._begun = self._read()
        self._samples -= samples

    def end(self, samples: int) -> None:
        """End the period; `samples` is the number consumed by now."""
        for place, (begun, ended) in enumerate(zip(self._begun, self._read(), strict=True)):
            so_far, self.joules[place] = self.joules[place], None
            # A counter that runs backwards was reset: the driver was loaded again.
            if so_far is not None and begun is not None and ended is not None and ended >= begun:
                self.joules[place] = so_far + ended - begun
        self._samples += samples

    def _read(self) -> list[float | None]:
        return [None if counter is None else counter.energy_joules() for counter in self._counters]


def _counters(devices: Sequence[Device]) -> list[NvmlDevice | None]:
    """Return NVML's handle of each device, found by UUID; NVML stays open until the process ends."""
    try:
        nvml = Nvml() if any(device.uuid for device in devices) else None
    except NvmlUnavailable:
        nvml = None
    return [
        find_device(nvml, Gpu(index=device.index, uuid=device.uuid, name=device.name))
        if nvml and device.uuid
        else None
        for device in devices
    ]
