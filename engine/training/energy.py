"""Energy of a rank's GPUs, by NVML's counters."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ..host.facts import Gpu
from ..host.gpu.driver import Driver, DriverError
from ..plan.plan import Device


class EnergyMeter:
    """Adds up the energy of several periods, each from `begin` to `end`.

    The counters are read by another process, which a driver that hangs or aborts may take: then the energy is
    not known, and the training goes on.
    """

    OPENING = 5.0
    """Seconds that the first answer may take: the process starts, on GPUs that are awake by then."""
    PATIENCE = 1.0
    """Seconds that every other answer may take; it comes in some milliseconds."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self.joules: list[float | None] = [0.0 if device.uuid else None for device in devices]
        """Energy of each device so far; None where it has no counter, or the counter failed."""
        self._samples = 0
        self._gpus = [Gpu(index=device.index, uuid=device.uuid or "", name=device.name) for device in devices]
        self._begun: list[float | None] = []
        self._driver = Driver()
        if self.is_counting:
            with suppress(DriverError):  # the first question meets it again
                self._driver.start()

    @property
    def is_counting(self) -> bool:
        """Whether there is a counter that has not failed."""
        return any(joules is not None for joules in self.joules)

    @property
    def samples(self) -> int | None:
        """Samples consumed in those periods; None where no device has a counter."""
        return self._samples if self.is_counting else None

    def open(self) -> None:
        """Wait until the driver answers, so that periods begin and end without delay."""
        self._read(self.OPENING)

    def begin(self, samples: int) -> None:
        """Begin a period; `samples` is the number consumed so far."""
        self._begun = self._read(self.PATIENCE)
        self._samples -= samples

    def end(self, samples: int) -> None:
        """End the period; `samples` is the number consumed by now."""
        for place, (begun, ended) in enumerate(zip(self._begun, self._read(self.PATIENCE), strict=True)):
            so_far, self.joules[place] = self.joules[place], None
            # A counter that runs backwards was reset: the driver was loaded again.
            if so_far is not None and begun is not None and ended is not None and ended >= begun:
                self.joules[place] = so_far + ended - begun
        self._samples += samples

    def close(self) -> None:
        """End the process that reads the counters."""
        self._driver.close()

    def _read(self, seconds: float) -> list[float | None]:
        """Return each counter; a driver that fails is not asked again."""
        unknown: list[float | None] = [None] * len(self._gpus)
        if not self.is_counting:
            return unknown
        try:
            return self._driver.joules(self._gpus, seconds)
        except DriverError:
            self.joules = unknown
            self._driver.close()
            return unknown
