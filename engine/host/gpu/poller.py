"""Samples of the GPUs, asked for by a separate thread because the driver may not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from ...text.plain import described
from ..facts import Gpu, GpuSample
from .driver import Driver, DriverError


class GpuPoller:
    """Samples the GPUs on request; while the driver is silent, its last answer holds for some seconds.

    A driver that is silent for longer, or ends the process that asks it, is asked anew by another process,
    after pauses that grow.
    """

    ROUND = 0.3
    """Seconds that a request waits for its answer; for 8 GPUs it takes some 10 ms."""
    STALE = 3.0
    """Seconds after which an answer no longer holds."""
    GIVE_UP = 20.0
    """Seconds after which another process is to ask; to wake eight GPUs takes some of them."""
    PAUSES = (1.0, 60.0)
    """The first and the longest pause before another process asks, in s."""

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
        self._noted: set[str] = set()
        self._driver = Driver()
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
                self._note(
                    f"no telemetry: the NVIDIA driver did not answer for {self.STALE:.0f} s; figures of the "
                    "GPUs are n/a until it does"
                )
            return list(self._latest if now - self._answered_at <= self.STALE else self._nothing)

    def take_notes(self) -> list[str]:
        """Return the notes that have not been taken yet."""
        with self._changed:
            notes, self._notes = self._notes, []
        return notes

    def close(self, patience: float = 1.0) -> None:
        """End the process and the thread, whatever the driver is doing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._driver.close()
        self._thread.join(patience)

    def _serve(self) -> None:
        first, longest = self.PAUSES
        pause = first
        try:
            while self._requested():
                try:
                    samples = self._driver.sample(self._gpus, self.GIVE_UP)
                except DriverError as error:
                    if error.is_missing:
                        self._end([str(error)])
                        return
                    self._wait(pause, error)
                    pause = min(2 * pause, longest)
                else:
                    self._answer(samples.gpus, samples.notes)
        except Exception as error:  # the session goes on without samples of its GPUs and says so
            self._end([f"the GPUs can no longer be sampled: {described(error)}"])
        finally:
            self._driver.close()
            self._end([])

    def _requested(self) -> bool:
        """Wait for a request; False when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closing)
            return not self._closing

    def _wait(self, seconds: float, error: DriverError) -> None:
        """Say why there are no samples, wait, and prepare another process to ask."""
        with self._changed:
            if not self._closing and not self._silent:
                self._silent = True
                self._note(f"no telemetry: {error}; figures of the GPUs are n/a until it answers again")
            self._changed.wait_for(lambda: self._closing, timeout=seconds)
            self._driver.close()
            if not self._closing:
                self._driver = Driver()

    def _answer(self, samples: list[GpuSample], notes: list[str]) -> None:
        with self._changed:
            self._latest, self._answered_at = samples, time.monotonic()
            self._pending = self._silent = False
            for note in notes:
                self._note(note)
            for sample in samples:
                if sample.lost and sample.index not in self._lost:
                    self._lost.add(sample.index)
                    self._note(
                        f"GPU {sample.index} no longer answers: it fell off the bus or needs a reset "
                        "(the kernel log names the cause as an Xid)"
                    )
            self._changed.notify_all()

    def _note(self, note: str) -> None:
        """Add a note, once."""
        if note not in self._noted:
            self._noted.add(note)
            self._notes.append(note)

    def _end(self, notes: list[str]) -> None:
        with self._changed:
            self._ended = True
            for note in notes:
                self._note(note)
            self._changed.notify_all()
