"""A measurement: warm-up until the step time has settled, then windows until their interval is narrow enough.

A window owns its samples and its seconds. The device is synchronised at both ends of a window and nowhere
within, and the ranks exchange messages only between windows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from ..plan.pace import WARM_UP_SHARE
from ..plan.preset.preset import Measure
from ..record.events import Evaluation, Window
from ..statistics import median, relative_half_width
from .energy import EnergyMeter
from .rank import Rank
from .trainer import Trainer
from .trainings.training import Batch, Batches, Tally

SPAN = 5
"""Number of steps whose median is compared with that of as many before them."""
SETTLED = 0.02
"""Relative change of that median at which a step time counts as settled."""
WARM_UP_SECONDS = 5.0
"""Seconds after which warm-up ends where epochs are trained, to which `measure.seconds` does not apply."""


class Measurement:
    """Trains and times one rank's model as its run asks."""

    def __init__(self, rank: Rank, trainer: Trainer, batches: Batches) -> None:
        self.measure = rank.run.measure
        self.settled = False
        """Whether the step time had settled when warm-up ended."""
        self.stop_reason = ""
        """Reason for which measuring ended."""
        self.pace = 0.0
        """Seconds of a step at the end of warm-up."""
        self._devices = rank.devices
        self._trainer = trainer
        self._batches = batches
        self._everyone = rank.everyone
        self._team = rank.team
        self._reporter = rank.reporter
        self._clock = rank.reporter.clock
        self._stream: Iterator[Batch] = iter(())
        self._windows = 0
        self.energy = EnergyMeter(rank.run.devices_of(rank.index))
        """Energy of the windows."""

    def run(self) -> None:
        """Warm up, then measure epochs or windows as the run asks."""
        self.warm_up()
        self.energy.open()
        self._devices.reset_peaks()
        self.stop_reason = self.train_epochs() if self.measure.epochs else self.measure_throughput()
        self.energy.close()

    def train(self, steps: int) -> None:
        """Take a number of steps, without waiting for the device."""
        for _ in range(steps):
            more = islice(self._stream, self._trainer.accumulate - 1)
            loss = self._trainer.step(next(self._stream), more)
            self._reporter.step(loss, self._trainer.samples, self._trainer.learning_rate)

    def timed(self, steps: int) -> float:
        """Take a number of steps; return their seconds from idle device to idle device."""
        self._clock.synchronize()
        self._reporter.begin()
        start = time.perf_counter()
        self.train(steps)
        self._clock.synchronize()
        return time.perf_counter() - start

    def warm_up(self) -> None:
        """Train until the step time has settled; restart the training afterwards if epochs are measured."""
        self._reporter.phase("warming up")
        beginning = self._trainer.save() if self.measure.epochs else None
        self._stream = self._batches.train(0, None)
        times = self._step_times(max(self.measure.warmup_steps, 1))
        limit = WARM_UP_SECONDS if self.measure.epochs else WARM_UP_SHARE * self.measure.seconds
        latest = time.perf_counter() + limit
        while not self._is_warm(times, late=time.perf_counter() > latest):
            times += self._step_times(SPAN)
        self.pace = median(times[-SPAN:])
        if beginning is not None:
            self._trainer.restore(beginning)

    def _step_times(self, steps: int) -> list[float]:
        """Take a number of steps, wait for the device after each, and return the seconds of each."""
        self._clock.synchronize()
        self._reporter.begin()
        moments = [time.perf_counter()]
        for _ in range(steps):
            self.train(1)
            self._clock.synchronize()
            moments.append(time.perf_counter())
        return [end - start for start, end in pairwise(moments)]

    def _is_warm(self, times: list[float], *, late: bool) -> bool:
        """Return whether the step time has settled on all ranks of the team, or one has no time left."""
        change = 1.0
        if len(times) >= 2 * SPAN:
            change = abs(median(times[-SPAN:]) / median(times[-2 * SPAN : -SPAN]) - 1)
        ranks = self._team.gather([change, float(late)])
        self.settled = max(change for change, _ in ranks) < SETTLED
        return self.settled or any(late for _, late in ranks)

    def window(self, steps: int, epoch: int | None = None) -> Window:
        """Measure one window and report it."""
        samples = self._reporter.samples
        seconds = self.timed(steps)
        window = Window(
            **self._reporter.stamp(),
            index=self._windows,
            steps=steps,
            samples=self._reporter.samples - samples,
            seconds=seconds,
            epoch=epoch,
        )
        self._reporter.send(window)
        self._windows += 1
        return window

    def start_together(self, *, same_length: bool) -> int:
        """Wait for all ranks, and return the number of steps in a window of this rank.

        It is the same on all ranks of a team. Independent trainings take as many steps as fill the same time.
        """
        self._everyone.meet("start", lambda: self._reporter.phase("warming up", "waiting for other ranks"))
        self.pace = max(self._team.gather([self.pace]))[0]
        slowest = max(self._everyone.gather([self.pace]))[0] if same_length else self.pace
        return max(1, round(max(self.measure.window_seconds, slowest) / self.pace))

    def measure_throughput(self) -> str:
        """Measure windows until their interval is narrow enough or the time is up; return why it ended."""
        steps = self.start_together(same_length=True)
        # Independent trainings continue while they wait for each other, so that none is measured alone.
        meanwhile = None if self._everyone is self._team else self._one_more_step
        self._reporter.phase("measuring")
        self.energy.begin(self._reporter.samples)
        totals: list[float] = []
        measured = 0.0
        while True:
            window = self.window(steps)
            ranks = self._everyone.gather([window.samples, window.seconds], meanwhile)
            slowest = max(seconds for _, seconds in ranks)
            totals.append(sum(samples for samples, _ in ranks) / slowest)
            measured += slowest
            if reason := enough(self.measure, totals, measured):
                self.energy.end(self._reporter.samples)
                return reason

    def _one_more_step(self) -> None:
        self.timed(1)

    def train_epochs(self) -> str:
        """Train whole epochs in windows, and evaluate the model after each; return why it ended."""
        steps = self.start_together(same_length=False)
        for epoch in range(1, self.measure.epochs + 1):
            self._reporter.phase("measuring", epoch=epoch)
            self._stream = self._batches.train(epoch - 1, epoch)
            self._trainer.tally = self._trainer.training.new_tally(self._clock.device)
            self.energy.begin(self._reporter.samples)
            seconds = sum(
                self.window(part, epoch).seconds for part in split(self._batches.steps_per_epoch, steps)
            )
            self.energy.end(self._reporter.samples)
            self._evaluate(epoch, self._trainer.tally, seconds)
        if self._everyone is not self._team:
            self._keep_company()
        return f"{self.measure.epochs} epoch{'s' if self.measure.epochs > 1 else ''}"

    def _keep_company(self) -> None:
        """Continue unmeasured until every rank has trained its epochs, so that none is measured alone."""

        def waiting() -> None:
            self._reporter.phase("finishing", "training on until the others are done")

        waiting()
        self._trainer.tally = None
        self._stream = self._batches.train(self.measure.epochs, None)
        self._everyone.meet("end", waiting, meanwhile=self._one_more_step)

    def _evaluate(self, epoch: int, trained: Tally, seconds: float) -> None:
        self._reporter.phase("evaluating", epoch=epoch)
        (slowest,) = max(self._team.gather([seconds]))
        train_loss, train_score = trained.read(self._team)
        test_loss, test_score = self._trainer.evaluate(
            lambda note: self._reporter.phase("evaluating", note, epoch)
        )
        if self._team.rank == 0:
            self._reporter.send(
                Evaluation(
                    **self._reporter.stamp(),
                    epoch=epoch,
                    train_loss=finite(train_loss),
                    train_accuracy=train_score,
                    test_loss=finite(test_loss),
                    test_accuracy=test_score,
                    seconds=slowest,
                )
            )


def enough(measure: Measure, totals: Sequence[float], measured: float) -> str | None:
    """Return why no more windows are needed, or None while they are.

    `totals` are the throughputs of the windows so far, all ranks together, and `measured` their seconds.
    Every rank has the same figures and comes to the same decision.
    """
    if len(totals) < measure.windows:
        return None
    half = relative_half_width(totals)
    if measure.target and half <= measure.target:
        return f"interval ±{100 * half:.2g}% within {100 * measure.target:g}%"
    return f"time limit of {measure.seconds:g} s" if measured >= measure.seconds else None


def split(total: int, length: int) -> list[int]:
    """Divide a total into nearly equal parts of about that length."""
    parts = max(1, round(total / length))
    return [total * (part + 1) // parts - total * part // parts for part in range(parts)]


def finite(value: float) -> float | None:
    """Return the value, or None where it is not finite."""
    return value if math.isfinite(value) else None
