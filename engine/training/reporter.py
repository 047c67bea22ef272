"""The rank's end of the queue: events leave the training loop without ever making it wait.

The loop only appends to lists. About ten times a second these become one chunk, and its losses are copied to
the host asynchronously; a separate thread reads chunks once the device has passed them, and puts them on the
queue. A full queue costs metrics, which are counted as lost, and never a step.
"""

from __future__ import annotations

import contextlib
import math
import queue as queues
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.queues import Queue
from typing import TypedDict

import torch
from torch import Tensor

from ..record.events import FailureKind, MetricsLost, Phase, PhaseChanged, RankEvent, RankFailed, Steps
from .device.clock import Mark
from .device.devices import RankDevices

INTERVAL = 0.1
"""Seconds between two messages."""
CHUNK = 512
"""Most steps in one chunk."""
LAST_WORDS = 5.0
"""Seconds to wait at the end for a session process that does not read."""


@dataclass(slots=True)
class Chunk:
    """Consecutive steps: their ends on the device's clock, their losses still on the device."""

    first: int
    start: Mark
    at: float | None
    """Time of `start`, known where the device was idle then."""
    ends: list[Mark] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    on_host: Tensor | None = None
    ready: Mark = 0.0


class Stamp(TypedDict):
    """The fields that all events of a rank have."""

    at: float
    run: str
    rank: int


class Reporter:
    """Sends one rank's events, in the order in which they were handed over."""

    def __init__(
        self, run: str, rank: int, started: float, queue: Queue[list[RankEvent]], devices: RankDevices
    ) -> None:
        self.run = run
        self.rank = rank
        self.steps = 0
        """Steps trained so far."""
        self.samples = 0
        """Samples in those steps."""
        self._started = started
        self._queue = queue
        self.clock = devices.new_clock()
        """The clock that marks the ends of steps; others may use it too."""
        self._devices = devices
        self._phase: tuple[Phase, int | None] = ("starting", None)
        self._chunk: Chunk | None = None
        self._flushed = 0.0
        self._pending: deque[Chunk | RankEvent] = deque()
        self._outbox: list[RankEvent] = []
        self._steps_end = 0.0
        self._closing = threading.Event()
        self._sender = threading.Thread(target=self._send_until_closed, name="reporter", daemon=True)
        self._sender.start()

    def now(self) -> float:
        """Return the seconds since the session started."""
        return time.monotonic() - self._started

    def stamp(self) -> Stamp:
        """Return the fields that every event of this rank has, as of now."""
        return {"at": self.now(), "run": self.run, "rank": self.rank}

    def send(self, event: RankEvent) -> None:
        """Send an event after all steps so far."""
        self._flush(more=False)
        self._pending.append(event)

    def phase(self, phase: Phase, note: str = "", epoch: int | None = None) -> None:
        """Report the phase that the rank is in, or its progress within it."""
        self._phase = phase, epoch
        self.send(PhaseChanged(**self.stamp(), phase=phase, note=note, epoch=epoch))

    def remark(self, note: str, *, compiling: bool) -> None:
        """Send a note on the phase that the rank is in, from any thread and without touching its steps."""
        phase, epoch = self._phase
        self._pending.append(
            PhaseChanged(**self.stamp(), phase=phase, note=note, epoch=epoch, compiling=compiling)
        )

    def begin(self) -> None:
        """Start a step now, on an idle device; the time before it belongs to no step."""
        self._flush(more=False)
        at = self.now()  # before the mark: a pause between the two must not date steps too late
        self._chunk = Chunk(self.steps, self.clock.mark(), at)
        self._flushed = time.perf_counter()

    def step(self, loss: Tensor, samples: int, learning_rate: float) -> None:
        """Record a step that was submitted; `loss` is its detached scalar, left on the device."""
        chunk = self._chunk
        assert chunk is not None, "begin() comes before the first step"
        chunk.ends.append(self.clock.mark())
        chunk.losses.append(loss)
        chunk.samples.append(samples)
        chunk.learning_rates.append(learning_rate)
        self.steps += 1
        self.samples += samples
        if time.perf_counter() - self._flushed >= INTERVAL or len(chunk.ends) >= CHUNK:
            self._flush(more=True)

    def _flush(self, *, more: bool) -> None:
        """Hand the steps so far to the sender; with `more`, another follows without a pause."""
        chunk, self._chunk = self._chunk, None
        if chunk is None or not chunk.ends:
            return
        chunk.on_host = self._devices.host_buffer(len(chunk.losses))
        chunk.on_host.copy_(torch.stack(chunk.losses), non_blocking=True)
        chunk.ready = self.clock.mark()
        chunk.losses.clear()
        if more:
            self._chunk = Chunk(self.steps, chunk.ends[-1], None)
            self._flushed = time.perf_counter()
        self._pending.append(chunk)

    def fail(self, kind: FailureKind, message: str) -> None:
        """Report how the rank failed, even if the device no longer answers."""
        with contextlib.suppress(RuntimeError):
            self._flush(more=False)
        self._pending.append(RankFailed(**self.stamp(), kind=kind, message=message))

    def close(self) -> None:
        """Send what is left, wait a few seconds at most until it is read, and close the queue."""
        with contextlib.suppress(RuntimeError):
            self._flush(more=False)
        self._closing.set()
        self._sender.join(LAST_WORDS)
        self._queue.close()
        taken = threading.Thread(target=self._queue.join_thread, daemon=True)
        taken.start()
        taken.join(LAST_WORDS)
        self._queue.cancel_join_thread()

    # The methods below run in the sender's thread.

    def _send_until_closed(self) -> None:
        self.clock.enter_thread()
        while not self._closing.wait(INTERVAL):
            self._collect()
            self._put()
        deadline = time.monotonic() + LAST_WORDS / 2
        while not (self._collect() and self._put()) and time.monotonic() < deadline:
            time.sleep(0.005)
        if self._pending:
            self._collect(unread=True)
            self._put()

    def _collect(self, *, unread: bool = False) -> bool:
        """Move all that the device has finished to the outbox; return whether nothing is left.

        With `unread`, steps that the device has not finished are moved as a count of lost ones.
        """
        while self._pending:
            first = self._pending[0]
            if not isinstance(first, Chunk):
                self._outbox.append(first)
            elif unread:
                self._outbox.append(self._lost(len(first.ends)))
            else:
                try:
                    if not self.clock.reached(first.ready):
                        return False
                    self._outbox.append(self._read(first))
                except RuntimeError:  # the device has failed, which the training loop will notice too
                    self._outbox.append(self._lost(len(first.ends)))
            self._pending.popleft()
        return True

    def _lost(self, steps: int) -> MetricsLost:
        return MetricsLost(**self.stamp(), steps=steps)

    def _read(self, chunk: Chunk) -> Steps:
        assert chunk.on_host is not None
        marks = [chunk.start, *chunk.ends]
        seconds = [self.clock.seconds(a, b) for a, b in pairwise(marks)]
        self._steps_end = (self._steps_end if chunk.at is None else chunk.at) + sum(seconds)
        # The last end may be the next chunk's start, which is then released with that chunk.
        for mark in (*marks[:-1], chunk.ready):
            self.clock.release(mark)
        return Steps(
            at=self._steps_end,
            run=self.run,
            rank=self.rank,
            first=chunk.first,
            seconds=seconds,
            loss=[loss if math.isfinite(loss) else None for loss in chunk.on_host.tolist()],
            samples=chunk.samples,
            learning_rate=chunk.learning_rates,
        )

    def _put(self) -> bool:
        """Try to send the outbox; when the queue is full, replace its steps by a count of lost ones."""
        if not self._outbox:
            return True
        try:
            self._queue.put_nowait(self._outbox)
        except queues.Full:
            self._outbox = without_steps(self._outbox)
            return False
        except (OSError, ValueError):
            pass  # nobody reads any more
        self._outbox = []
        return True


def without_steps(events: list[RankEvent]) -> list[RankEvent]:
    """Return the same events with steps replaced by a count of lost ones."""
    kept: list[RankEvent] = []
    for event in events:
        if not isinstance(event, Steps | MetricsLost):
            kept.append(event)
            continue
        lost = len(event.seconds) if isinstance(event, Steps) else event.steps
        broken = event.not_finite
        if kept and isinstance(before := kept[-1], MetricsLost):
            lost += before.steps
            broken = broken if before.not_finite is None else before.not_finite
            kept.pop()
        kept.append(MetricsLost(at=event.at, run=event.run, rank=event.rank, steps=lost, not_finite=broken))
    return kept
