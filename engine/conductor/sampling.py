"""Sampling of the devices, twice a second, for as long as the session lasts."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence

from ..host.facts import CpuSample, Gpu, GpuSample
from ..host.telemetry import DeviceSampler
from ..plan.plan import RunSpec
from ..text.plain import message_of
from ..text.units import rough_duration
from .processes.parentage import descendants

INTERVAL = 0.5
CLOCK_STEP = 60.0
"""Least change of the machine's clock that is said, in s."""


def cores_of(spec: RunSpec) -> Collection[int]:
    """Return the logical CPUs that the ranks of a run may use; empty where that is not known."""
    if all(device.cores for device in spec.devices):
        return frozenset(core for device in spec.devices for core in device.cores)
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else frozenset()


logger = logging.getLogger(__name__)


class Sampling(threading.Thread):
    """Samples until it is closed. A failure here is reported once and ends nothing.

    `cores` returns the logical CPUs of the running ranks.
    """

    def __init__(
        self,
        gpus: Sequence[Gpu],
        cores: Callable[[], Collection[int]],
        sampled: Callable[[list[GpuSample], CpuSample], None],
        say: Callable[[str], None],
    ) -> None:
        super().__init__(name="sampling", daemon=True)
        self._gpus = gpus
        self._cores = cores
        self._sampled = sampled
        self._say = say
        self._offset = _clock_offset()
        self._said: set[str] = set()
        self._closing = threading.Event()

    def close(self) -> None:
        """Stop sampling; wait at most two seconds for a driver that does not answer."""
        self._closing.set()
        self.join(2.0)

    def run(self) -> None:
        """Sample; never raises."""
        try:
            sampler = DeviceSampler(self._gpus, lambda: [os.getpid(), *descendants()], self._cores)
        except Exception as error:
            self._say_once(f"the devices cannot be sampled: {message_of(error)}")
            return
        try:
            while not self._closing.wait(INTERVAL):
                self._sample(sampler)
                self._look_at_clock()
        finally:
            sampler.close()

    def _sample(self, sampler: DeviceSampler) -> None:
        try:
            self._sampled(*sampler.sample())
            for note in sampler.take_notes():
                self._say(note)
        except Exception as error:
            self._say_once(f"a sample of the devices failed: {message_of(error)}")

    def _look_at_clock(self) -> None:
        """Say when the machine's clock was set; times in the journal do not depend on it."""
        offset = _clock_offset()
        change, self._offset = offset - self._offset, offset
        if abs(change) > CLOCK_STEP:
            how = "set back" if change < 0 else "set forward, or the machine slept,"
            self._say(f"the clock was {how} by {_much(abs(change))}: figures do not depend on it")

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


def _much(seconds: float) -> str:
    return f"{seconds / 86400:,.0f} days" if seconds > 2 * 86400 else rough_duration(seconds)


def _clock_offset() -> float:
    return time.time() - time.monotonic()
