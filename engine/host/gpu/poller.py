"""Samples of the GPUs, taken by a separate thread because a call into a failing driver may never return."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from ...text.plain import described, message_of
from ..facts import Gpu, GpuSample
from .devices import NvmlDevice, find_device
from .nvml import Nvml, NvmlUnavailable


class GpuPoller:
    """Asks NVML on request; while it is silent, its last answer holds for some seconds, then all is n/a.

    One thread makes all calls and shuts NVML down after the last: to do so during a call can crash.
    """

    ROUND = 0.3
    """Seconds that a request waits for its answer; for 8 GPUs it takes some 10 ms."""
    STALE = 3.0
    """Seconds after which an answer no longer holds."""

    def __init__(self, gpus: Sequence[Gpu]) -> None:
        self._gpus = tuple(gpus)
        self._nothing = [GpuSample(index=gpu.index) for gpu in gpus]
        self._latest = self._nothing
        self._answered_at = self._asked_at = time.monotonic()
        self._pending = False
        self._silent = False
        self._ended = False
        self._closing = False
        self._lost: set[int] = set()
        self._notes: list[str] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="nvml", daemon=True)
        self._thread.start()

    def sample(self) -> list[GpuSample]:
        """Return one sample for each GPU, at most `STALE` seconds old, within `ROUND` seconds."""
        with self._changed:
            if self._ended:
                return list(self._nothing)
            if not self._pending:
                self._pending, self._asked_at = True, time.monotonic()
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._ended or not self._pending, timeout=self.ROUND)
            now = time.monotonic()
            if self._pending and not self._silent and now - self._asked_at > self.STALE:
                self._silent = True
                self._notes.append(
                    "the NVIDIA driver does not answer: figures of the GPUs are n/a until it does"
                )
            return list(self._latest if now - self._answered_at <= self.STALE else self._nothing)

    def take_notes(self) -> list[str]:
        """Return the notes that have not been taken yet."""
        with self._changed:
            notes, self._notes = self._notes, []
        return notes

    def close(self, patience: float = 1.0) -> None:
        """End the thread and NVML, or leave the thread behind if a call hangs for `patience` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(patience)

    def _serve(self) -> None:
        try:
            nvml = Nvml()
        except NvmlUnavailable as error:
            self._end([message_of(error)])
            return
        try:
            devices: dict[str, NvmlDevice] = {}
            while self._requested():
                samples = [_sample(nvml, gpu, devices) for gpu in self._gpus]
                self._answer(samples, nvml.take_missing())
        except Exception as error:  # the session goes on without samples of its GPUs and says so
            self._end([f"the GPUs can no longer be sampled: {described(error)}"])
        finally:
            nvml.close()
            self._end([])

    def _requested(self) -> bool:
        """Wait for a request; False when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closing)
            return not self._closing

    def _answer(self, samples: list[GpuSample], notes: list[str]) -> None:
        with self._changed:
            self._latest, self._answered_at = samples, time.monotonic()
            self._pending = self._silent = False
            self._notes += notes
            for sample in samples:
                if sample.lost and sample.index not in self._lost:
                    self._lost.add(sample.index)
                    self._notes.append(
                        f"GPU {sample.index} no longer answers: it fell off the bus or needs a reset "
                        "(the kernel log names the cause as an Xid)"
                    )
            self._changed.notify_all()

    def _end(self, notes: list[str]) -> None:
        with self._changed:
            self._ended = True
            self._notes += notes
            self._changed.notify_all()


def _sample(nvml: Nvml, gpu: Gpu, devices: dict[str, NvmlDevice]) -> GpuSample:
    """Sample one GPU, which is looked up by its UUID until it answers."""
    device = devices.get(gpu.uuid) or find_device(nvml, gpu)
    if device is None:
        return GpuSample(index=gpu.index, lost=True)
    devices[gpu.uuid] = device
    return device.sample()
