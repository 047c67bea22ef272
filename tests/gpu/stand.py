"""One device and trainings on it, without a session: the ground that `one_process.py` measures on."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gpubench_tui.engine.host.facts import Host
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.record.events import RankEvent
from gpubench_tui.engine.training.device.devices import RankDevices
from gpubench_tui.engine.training.measure import Measurement
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.rank import Rank
from gpubench_tui.engine.training.reporter import Reporter
from gpubench_tui.engine.training.trainer import Trainer
from gpubench_tui.engine.training.trainings.choice import training_of
from gpubench_tui.engine.training.trainings.training import Batches, Training, share_of

Facts = dict[str, Any]
"""Findings of one part, fit for JSON."""


class Queue:
    """Queue that keeps all that a reporter sends."""

    def __init__(self) -> None:
        self.events: list[RankEvent] = []

    def put_nowait(self, events: list[RankEvent]) -> None:
        self.events += events

    def close(self) -> None: ...

    def join_thread(self) -> None: ...

    def cancel_join_thread(self) -> None: ...


@dataclass
class Stand:
    """Host, run and devices that every part measures on."""

    host: Host
    run: RunSpec
    devices: RankDevices

    @property
    def device(self) -> torch.device:
        """The device itself."""
        return self.devices.first

    @property
    def has_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.device.type == "cuda"

    def rank(self, run: RunSpec) -> Rank:
        """Return a rank that is alone in a run."""
        alone = Group()
        return Rank(run, 0, self.devices, alone, alone, self.reporter(Queue()))

    def reporter(self, queue: Queue) -> Reporter:
        """Return a reporter that sends to the queue."""
        return Reporter(self.run.id, 0, time.monotonic(), queue, self.devices)


class Trained:
    """Training of a rank that is alone in a run, already warmed up."""

    def __init__(self, stand: Stand, run: RunSpec) -> None:
        rank = stand.rank(run)
        training, batches = open_training(stand, run)
        self.trainer = Trainer(rank.run, rank.index, rank.devices, training, batches, rank.team)
        self.measurement = Measurement(rank, self.trainer, batches)
        self.measurement.warm_up()
        self._stream = batches.train(0, None)
        self._clock = stand.devices.new_clock()

    def steps_in(self, seconds: float) -> int:
        """Return the number of steps in about so many seconds, at least one."""
        return max(1, round(seconds / self.measurement.pace))

    def bare(self, steps: int) -> float:
        """Return the seconds that so many steps take without measurement or report."""
        self._clock.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            self.trainer.step(next(self._stream))
        self._clock.synchronize()
        return time.perf_counter() - start


def open_training(stand: Stand, run: RunSpec) -> tuple[Training, Batches]:
    """Return the training of a run and its batches, for a rank that is alone."""

    def note(text: str) -> None: ...

    training = training_of(run.workload)
    return training, training.open(share_of(run, 0, stand.devices, Path(tempfile.gettempdir())), note)
