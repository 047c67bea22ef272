"""The rank's end of the queue: what the training loop says leaves it without ever making it wait.

The loop only appends to lists. About ten times a second they become one chunk, whose losses start their copy
to the host; a thread of its own reads chunks once the device has passed them and puts them on the queue. A
queue that is full costs metrics, which are then counted as lost, and never a step.
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
"""Steps in one chunk at most."""
LAST_WORDS = 5.0
"""Seconds to wait, at the end, for a session process that does not read."""


@dataclass(slots=True)
class Chunk:
    """Consecutive steps: their ends on the device's clock, their losses still on the device."""

    first: int
    start: Mark
    at: float | None
    """When `start` was, where that is known because the device was idle then."""
    ends: list[Mark] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    on_host: Tensor | None = None
    ready: Mark = 0.0


class Stamp(TypedDict):
    """When an event happened and whose it is."""

    at: float
    run: str
    rank: int


class Reporter:
    """Sends one rank's events, in the order in which they were said."""

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
        """Marks the ends of steps; anything else may be marked by it too."""
        self._devices = devices
        self._phase: tuple[Phase, int | None] = ("starting", None)
        self._chunk: Chunk | None = None
        self._flushed = 0.0
        self._said: deque[Chunk | RankEvent] = deque()
        self._outbox: list[RankEvent] = []
        self._steps_end = 0.0
        self._closing = threading.Event()
        self._sender = threading.Thread(target=self._send_until_closed, name="reporter", daemon=True)
        self._sender.start()

    def now(self) -> float:
        """Seconds since the session started."""
        return time.monotonic() - self._started

    def stamp(self) -> Stamp:
        """Return the fields that every event of this rank has, as of now."""
        return {"at": self.now(), "run": self.run, "rank": self.rank}

    def send(self, event: RankEvent) -> None:
        """Send an event after all steps so far."""
        self._flush(more=False)
        self._said.append(event)

    def phase(self, phase: Phase, note: str = "", epoch: int | None = None) -> None:
        """Say what the rank does now, or how far it is with it."""
        self._phase = phase, epoch
        self.send(PhaseChanged(**self.stamp(), phase=phase, note=note, epoch=epoch))

    def remark(self, note: str, *, compiling: bool) -> None:
        """Send a note on the phase that the rank is in, from any thread and without touching its steps."""
        phase, epoch = self._phase
        self._said.append(
            PhaseChanged(**self.stamp(), phase=phase, note=note, epoch=epoch, compiling=compiling)
        )

    def begin(self) -> None:
        """The next step starts now; the device must be idle. Time until now belongs to no step."""
        self._flush(more=False)
        self._chunk = Chunk(self.steps, self.clock.mark(), self.now())
        self._flushed = time.perf_counter()

    def step(self, loss: Tensor, samples: int, learning_rate: float) -> None:
        """One more step was submitted; `loss` is its detached scalar, left on the device."""
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
        """Hand the steps so far to the sender; with `more`, the next one follows without a pause."""
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
        self._said.append(chunk)

    def fail(self, kind: FailureKind, message: str) -> None:
        """Say how the rank failed, even if the device no longer answers."""
        with contextlib.suppress(RuntimeError):
            self._flush(more=False)
        self._said.append(RankFailed(**self.stamp(), kind=kind, message=message))

    def close(self) -> None:
        """Send what is left, wait a few seconds at most for it to be taken, and leave the queue."""
        with contextlib.suppress(RuntimeError):
            self._flush(more=False)
        self._closing.set()
        self._sender.join(LAST_WORDS)
        self._queue.close()
        taken = threading.Thread(target=self._queue.join_thread, daemon=True)
        taken.start()
        taken.join(LAST_WORDS)
        self._queue.cancel_join_thread()

    # The rest runs in the sender's thread.

    def _send_until_closed(self) -> None:
        self.clock.enter_thread()
        while not self._closing.wait(INTERVAL):
            self._collect()
            self._put()
        deadline = time.monotonic() + LAST_WORDS / 2
        while not (self._collect() and self._put()) and time.monotonic() < deadline:
            time.sleep(0.005)
        if self._said:
            self._collect(unread=True)
            self._put()

    def _collect(self, *, unread: bool = False) -> bool:
        """Move what has been said, and is over on the device, to the outbox; whether that was all.

        With `unread`, steps that the device has not finished become a count of lost ones.
        """
        while self._said:
            said = self._said[0]
            if not isinstance(said, Chunk):
                self._outbox.append(said)
            elif unread:
                self._outbox.append(self._lost(len(said.ends)))
            else:
                try:
                    if not self.clock.reached(said.ready):
                        return False
                    self._outbox.append(self._read(said))
                except RuntimeError:  # the device has failed; the training loop will hear of it too
                    self._outbox.append(self._lost(len(said.ends)))
            self._said.popleft()
        return True

    def _lost(self, steps: int) -> MetricsLost:
        return MetricsLost(**self.stamp(), steps=steps)

    def _read(self, chunk: Chunk) -> Steps:
        assert chunk.on_host is not None
        marks = [chunk.start, *chunk.ends]
        seconds = [self.clock.seconds(a, b) for a, b in pairwise(marks)]
        self._steps_end = (self._steps_end if chunk.at is None else chunk.at) + sum(seconds)
        # The last end may be the next chunk's start: that one gives it back.
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
        """Try to send the outbox; when the queue is full its steps become a count of lost ones."""
        if not self._outbox:
            return True
        try:
            self._queue.put_nowait(self._outbox)
        except queues.Full:
            self._outbox = without_steps(self._outbox)
            return False
        except (OSError, ValueError):
            pass  # nobody listens any more
        self._outbox = []
        return True


def without_steps(events: list[RankEvent]) -> list[RankEvent]:
    """The same events, where steps have become a count of lost ones."""
    kept: list[RankEvent] = []
    for event in events:
        if not isinstance(event, Steps | MetricsLost):
            kept.append(event)
            continue
        lost = len(event.seconds) if isinstance(event, Steps) else event.steps
        if kept and isinstance(before := kept[-1], MetricsLost):
            lost += before.steps
            kept.pop()
        kept.append(MetricsLost(at=event.at, run=event.run, rank=event.rank, steps=lost))
    return kept
