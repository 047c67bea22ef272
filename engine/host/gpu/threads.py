"""Samples of several GPUs, each asked for by a thread of its own: a slow GPU delays no other one's."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from ..facts import Gpu, GpuSample
from .devices import NvmlDevice, find_device
from .driver import Samples
from .nvml import Nvml


class TimedSample(NamedTuple):
    """A sample, the moment at which it was complete, and the seconds that it took."""

    sample: GpuSample
    at: float
    took: float


class GpuThreads:
    """A thread for each GPU, started with the first question about it; they end with the process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._threads: dict[str, _GpuThread] = {}
        self._answers = 0

    def samples(self, gpus: Sequence[Gpu], patience: float) -> Samples:
        """Ask all GPUs, and return the newest sample of each once one has answered.

        The others asked are waited for so many seconds longer, but not those that still work on a question
        from before. Raises `NvmlUnavailable`.
        """
        with self._changed:
            before = self._answers
            threads = [self._thread(gpu) for gpu in gpus]
            asked = [thread for thread in threads if not thread.is_asked]
            for thread in asked:
                thread.is_asked = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answers > before or not threads)
            self._changed.wait_for(lambda: not any(thread.is_asked for thread in asked), timeout=patience)
            notes = [note for thread in threads for note in thread.notes]
            newest = [thread.newest for thread in threads]
            if error := next((thread.error for thread in threads if thread.error is not None), None):
                raise error
        now = time.monotonic()
        return Samples(
            [
                GpuSample(index=gpu.index) if one is None else one.sample
                for gpu, one in zip(gpus, newest, strict=True)
            ],
            list(dict.fromkeys(notes)),
            [None if one is None else now - one.at for one in newest],
            [0.0 if one is None else one.took for one in newest],
        )

    def _thread(self, gpu: Gpu) -> _GpuThread:
        thread = self._threads.get(gpu.uuid)
        if thread is None:
            thread = self._threads[gpu.uuid] = _GpuThread(gpu)
            threading.Thread(target=self._serve, args=(thread,), name=f"GPU {gpu.index}", daemon=True).start()
        return thread

    def _serve(self, thread: _GpuThread) -> None:
        """Take a sample of a GPU whenever it is asked; runs in its thread."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: thread.is_asked)
            began = time.monotonic()
            try:
                sample, error = thread.take_sample(), None
            except Exception as failure:  # raised where the question was asked
                sample, error = None, failure
            with self._changed:
                thread.error = error
                if sample is not None:
                    now = time.monotonic()
                    thread.newest = TimedSample(sample, now, now - began)
                thread.is_asked = False
                self._answers += 1
                self._changed.notify_all()


class _GpuThread:
    """State of the thread of one GPU."""

    def __init__(self, gpu: Gpu) -> None:
        self.is_asked = False
        """Whether a sample is wanted, or being taken."""
        self.newest: TimedSample | None = None
        self.error: Exception | None = None
        self.notes: list[str] = []
        """Sentences on what the driver lacks, each once."""
        self._gpu = gpu
        self._nvml: Nvml | None = None
        self._device: NvmlDevice | None = None

    def take_sample(self) -> GpuSample:
        """Sample the GPU, which is looked up by its UUID until it answers; raises `NvmlUnavailable`."""
        self._nvml = self._nvml or Nvml()
        self._device = self._device or find_device(self._nvml, self._gpu)
        if self._device is None:
            return GpuSample(index=self._gpu.index, lost=True)
        sample = self._device.sample()
        self.notes += self._nvml.take_missing()
        return sample
