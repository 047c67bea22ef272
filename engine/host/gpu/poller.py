"""Samples of the GPUs, asked for by a separate thread because the driver may not answer, or not for each."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Literal, get_args

from ...text.plain import described
from ..facts import Gpu, GpuSample
from .driver import Driver, DriverError, Samples

GpuState = Literal["answers", "silent", "lost"]
ANSWERS, SILENT, LOST = get_args(GpuState)
STATE_NOTES: dict[GpuState, str] = {
    "answers": "answers again",
    "silent": "has not answered for {seconds:.0f} s: its figures are n/a until it does, those of the others "
    "go on",
    "lost": "no longer answers: it fell off the bus or needs a reset (the kernel log names the cause as an "
    "Xid)",
}
"""Words for the note on a GPU that comes into a state."""
MOST_TURNS = 10
"""Most changes of one GPU's state that are noted."""


class GpuPoller:
    """Samples the GPUs on request; while a GPU or all are silent, the last answer holds for some seconds.

    A driver that is silent for all GPUs for longer, or ends the process that asks it, is asked anew by
    another process, after pauses that grow.
    """

    ROUND = 0.3
    """Seconds that a request waits for its answer; for 8 GPUs it takes some 10 ms."""
    PATIENCE = 0.15
    """Seconds that the answer waits for further GPUs when the first has answered."""
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
        self._began = time.monotonic()
        self._states: dict[int, GpuState] = {gpu.index: ANSWERS for gpu in gpus}
        self._slow: set[int] = set()
        """GPUs that were said to answer slowly."""
        self._turns = {gpu.index: 0 for gpu in gpus}
        """Number of changes of each GPU's state."""
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
                    samples = self._driver.sample(self._gpus, self.GIVE_UP, self.PATIENCE)
                except DriverError as error:
                    if error.is_missing:
                        self._end([str(error)])
                        return
                    self._wait(pause, error)
                    pause = min(2 * pause, longest)
                else:
                    self._answer(samples)
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

    def _answer(self, samples: Samples) -> None:
        with self._changed:
            # A GPU that takes its time is asked as seldom: each answer holds until the next is due.
            holds = [self.STALE + took for took in samples.took]
            fresh = [age is not None and age <= hold for age, hold in zip(samples.ages, holds, strict=True)]
            self._latest = [
                sample if is_fresh else GpuSample(index=sample.index)
                for sample, is_fresh in zip(samples.gpus, fresh, strict=True)
            ]
            self._answered_at = time.monotonic()
            self._pending = self._silent = False
            for note in samples.notes:
                self._note(note)
            for gpu, age, hold, is_fresh in zip(samples.gpus, samples.ages, holds, fresh, strict=True):
                waited = time.monotonic() - self._began if age is None else age
                if is_fresh:
                    self._turn(gpu.index, LOST if gpu.lost else ANSWERS)
                elif waited > hold:
                    self._turn(gpu.index, SILENT)
                if hold > 2 * self.STALE and gpu.index not in self._slow:
                    self._slow.add(gpu.index)
                    self._note(
                        f"GPU {gpu.index} answers slowly: a sample of it took {hold - self.STALE:.0f} s, so "
                        "its figures are as old"
                    )
            self._changed.notify_all()

    def _turn(self, index: int, state: GpuState) -> None:
        """Note a change of a GPU's state; of one that changes on and on, the first few times."""
        before, self._states[index] = self._states[index], state
        if before == state:
            return
        self._turns[index] += 1
        if self._turns[index] > MOST_TURNS:
            return
        last = "; further changes are not logged" if self._turns[index] == MOST_TURNS else ""
        self._notes.append(f"GPU {index} {STATE_NOTES[state].format(seconds=self.STALE)}{last}")

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
