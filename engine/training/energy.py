"""Joules that a rank's GPUs take, by NVML's own counters."""

from __future__ import annotations

from collections.abc import Sequence

from ..host.devices import NvmlDevice, find_device
from ..host.facts import Gpu
from ..host.nvml import Nvml, NvmlUnavailable
from ..plan.plan import Device


class EnergyMeter:
    """Counts over stretches of time, from `begin` to `end`; what lies between two stretches is left out."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self.joules: list[float | None] = [0.0] * len(devices)
        """Of each device so far; None for one that does not count, or ceased to."""
        self._samples = 0
        self._counters = _counters(devices)
        self._begun: list[float | None] = []

    @property
    def samples(self) -> int | None:
        """How many were consumed in those stretches; None where no device counts."""
        return self._samples if any(joules is not None for joules in self.joules) else None

    def begin(self, samples: int) -> None:
        """A stretch begins, `samples` having been consumed before."""
        self._begun = self._read()
        self._samples -= samples

    def end(self, samples: int) -> None:
        """It ends, with so many consumed by now."""
        for place, (begun, ended) in enumerate(zip(self._begun, self._read(), strict=True)):
            so_far, self.joules[place] = self.joules[place], None
            # A counter that runs backwards has begun anew: the driver was loaded again.
            if so_far is not None and begun is not None and ended is not None and ended >= begun:
                self.joules[place] = so_far + ended - begun
        self._samples += samples

    def _read(self) -> list[float | None]:
        return [None if counter is None else counter.energy_joules() for counter in self._counters]


def _counters(devices: Sequence[Device]) -> list[NvmlDevice | None]:
    """What NVML knows of the devices, joined by UUID; it stays open as long as the process lives."""
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
