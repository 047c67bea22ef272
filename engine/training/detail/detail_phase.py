"""The detail phase after the windows: the parts of a step, the cost of synchronisation, the ranks' bandwidth.

It affects nothing that was measured before. Its steps are those of the windows with marks between their
parts, which are placed in the device's stream and read when all steps are done.

Only ddp's communication is separated from computation. With dp, forward includes replicating, scattering and
gathering, and backward includes the reduction; with fsdp both include communication. The seconds of dp's are
reported too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from torch.nn.parallel import DistributedDataParallel

from ...plan.pace import MOST_DETAIL_SECONDS
from ...record.events import BandwidthMeasured, Breakdown, CommunicationMeasured, Phase
from ..device.alignment import AlignedClock, take_anchor
from ..device.clock import Mark, wait_for
from ..parallel.group import NOTE_INTERVAL
from ..rank import Rank
from ..trainer import Trainer
from ..trainings.training import Batches
from .bandwidth import OF_MODE, measure_bandwidth
from .communication import BucketHook, BufferHook, ddp_of, take_turns
from .data_parallel import ExchangeHook, data_parallel_of

LEAD = 3
"""Unmeasured steps at the beginning: a loader has restarted, a hook is new."""
FEWEST = 5
"""Fewest steps to measure, as long as they take no more than `MOST_DETAIL_SECONDS`."""
SECONDS = 4.0
"""Limit for all steps where there are more than the fewest."""
PATIENCE = 3.0
"""Factor by which steps may exceed their expected duration before a waiting rank stops reporting progress."""


class Moments(NamedTuple):
    """The beginning of one pass of a step and the end of each of its parts."""

    start: Mark
    fetched: Mark
    placed: Mark
    forward: Mark
    backward: Mark
    updated: Mark
    """End of the optimizer's part; of all passes but a step's last, that of backward."""


class Detail:
    """The detail phase of one rank."""

    def __init__(self, rank: Rank, trainer: Trainer, batches: Batches, pace: float) -> None:
        """Prepare the phase; `pace` is the seconds of a step, the same on all ranks of the team."""
        self._spec = rank.run
        self._devices = rank.devices
        self._trainer = trainer
        self._stream = batches.fetch(rank.run.measure.epochs, None)
        self._place = batches.place
        self._everyone = rank.everyone
        self._team = rank.team
        self._reporter = rank.reporter
        self._clock = rank.reporter.clock
        self._pace = pace
        self._buckets: BucketHook | None = None
        self._buffers: BufferHook | None = None
        self._exchange: ExchangeHook | None = None
        self._phase: tuple[Phase, str] = ("detail", "")
        self._noted = 0.0

    def run(self) -> None:
        """Measure and report everything; afterwards the model's weights are meaningless."""
        self._enter("detail")
        self._everyone.meet("detail", lambda: self._reporter.phase("detail", "waiting for other ranks"))
        ddp = ddp_of(self._trainer.model) if self._team.world_size > 1 else None
        dp = data_parallel_of(self._trainer.model) if self._spec.device_count > 1 else None
        if ddp is not None:
            self._separate_ddp(ddp)
        else:
            self._exchange = ExchangeHook(dp, self._devices.new_clock()) if dp is not None else None
            self._break_down()
        if self._team.world_size > 1:
            self._measure_bandwidth()

    def _separate_ddp(self, ddp: DistributedDataParallel) -> None:
        """Measure the cost of synchronisation, then the parts of a step and the times of each bucket."""
        self._enter("communication", "steps with and without sync")
        turns = take_turns(ddp, self._team, self._timed, self._pace)
        self._enter("detail")
        self._buckets = BucketHook(ddp, self._devices.new_clock())
        if ddp.modules_buffers:
            self._buffers = BufferHook(ddp, self._clock)
        first = take_anchor(self._clock, self._reporter.now)
        steps = self._break_down()
        aligned = AlignedClock(self._clock, first, take_anchor(self._clock, self._reporter.now))
        self._reporter.send(
            CommunicationMeasured(
                **self._reporter.stamp(),
                buckets=self._buckets.times(aligned),
                clock_error=aligned.error,
                synchronised=turns[0],
                unsynchronised=turns[1],
                buffers=self._broadcasting(steps) if self._buffers is not None else [],
            )
        )

    def _break_down(self) -> list[list[Moments]]:
        """Take the steps of the detail phase, and report their parts."""
        self._team.gather([0.0])  # all begin together
        count = steps_within(self._spec.measure.detail, self._pace)
        self._phase = "detail", f"timing the parts of {count} steps"
        lead = LEAD if LEAD * self._pace <= SECONDS else 1
        self._train(lead)
        steps = self._train(count)
        if self._team is not self._everyone:
            # Independent trainings continue until all are done, so that none is measured alone.
            self._finish(lead + count)
            self._everyone.gather([0.0], lambda: self._timed(1))
        self._finish(lead + count)
        parts = [self._seconds_of(step) for step in steps]
        late: list[float] = [0.0] * len(steps)
        dividing: list[float] = []
        copying: list[float] = []
        input_, transfer, forward, backward, optimizer = (list(part) for part in zip(*parts, strict=True))
        if self._buckets is not None:
            # Ranks average gradients in the last pass: all of the others' backward is computation.
            earlier = [sum(self._seconds_of(step[:-1])[3:4]) for step in steps]
            split = self._buckets.split([(step[-1].forward, step[-1].backward) for step in steps])
            last, dividing, late, copying = (list(part) for part in zip(*split, strict=True))
            backward = [sum(both) for both in zip(earlier, last, strict=True)]
        early = self._broadcasting(steps)
        self._reporter.send(
            Breakdown(
                **self._reporter.stamp(),
                step=[self._clock.seconds(step[0].start, step[-1].updated) for step in steps],
                input=input_,
                transfer=transfer,
                forward=[whole - part for whole, part in zip(forward, early, strict=True)],
                backward=backward,
                dividing=dividing,
                exposed=[sum(parts) for parts in zip(early, late, strict=True)],
                copying=copying,
                optimizer=optimizer,
                exchange=self._exchange.seconds() if self._exchange is not None else {},
            )
        )
        return steps

    def _seconds_of(self, passes: Sequence[Moments]) -> list[float]:
        """Return the seconds of each part over some passes."""
        parts = [[self._clock.seconds(a, b) for a, b in pairwise(moments)] for moments in passes]
        return [sum(part) for part in zip(*parts, strict=True)]

    def _broadcasting(self, steps: list[list[Moments]]) -> list[float]:
        """Return the seconds of each step in which ddp broadcasts the model's buffers, or waits for them."""
        if self._buffers is None:
            return [0.0] * len(steps)
        seconds = iter(self._buffers.seconds([moments.placed for step in steps for moments in step]))
        return [sum(islice(seconds, len(step))) for step in steps]

    @property
    def _hooks(self) -> list[BucketHook | BufferHook | ExchangeHook]:
        hooks = (self._buckets, self._buffers, self._exchange)
        return [hook for hook in hooks if hook is not None]

    def _train(self, steps: int) -> list[list[Moments]]:
        """Take a number of steps, without waiting for the device; the hooks forget all earlier ones."""
        for hook in self._hooks:
            hook.steps.clear()
        return [self._step() for _ in range(steps)]

    def _timed(self, steps: int) -> float:
        """Take a number of steps; return their seconds from idle device to idle device."""
        self._clock.synchronize()
        start = time.perf_counter()
        self._train(steps)
        self._finish(steps)
        return time.perf_counter() - start

    def _finish(self, steps: int) -> None:
        """Wait for the device, with signs of life where that many steps take long."""
        expected = steps * self._pace
        if expected > NOTE_INTERVAL:
            wait_for(self._clock, self._give_sign_of_life, PATIENCE * expected)
        else:
            self._clock.synchronize()

    def _step(self) -> list[Moments]:
        """Take one step and mark the parts of each of its passes."""
        self._give_sign_of_life()
        for hook in self._hooks:
            hook.begin()
        passes: list[Moments] = []
        for number in range(1, self._trainer.accumulate + 1):
            passes.append(self._pass(number, passes[-1].updated if passes else self._clock.mark()))
        self._trainer.update()
        passes[-1] = passes[-1]._replace(updated=self._clock.mark())
        return passes

    def _pass(self, number: int, start: Mark) -> Moments:
        """Take a step's pass of that number, which begins at `start`, and mark its parts."""
        mark = self._clock.mark
        batch = next(self._stream)
        fetched = mark()
        batch = self._place(batch)
        placed = mark()
        with self._trainer.one_pass(number):
            loss, _ = self._trainer.forward(batch)
            forward = mark()
            self._trainer.backward(loss)
        backward = mark()
        return Moments(start, fetched, placed, forward, backward, backward)

    def take_pass(self) -> None:
        """Do a step's last forward and backward pass once more."""
        for hook in self._hooks:
            hook.begin()
        self._pass(self._trainer.accumulate, self._clock.mark())

    def _measure_bandwidth(self) -> None:
        for collective in OF_MODE.get(self._spec.mode, ()):
            self._enter("communication", f"bandwidth of {collective.replace('_', '-')}")
            sizes, seconds = measure_bandwidth(collective, self._team, self._devices, self._clock)
            if self._team.rank == 0:
                self._reporter.send(
                    BandwidthMeasured(
                        **self._reporter.stamp(),
                        collective=collective,
                        sizes=sizes,
                        seconds=seconds,
                    )
                )

    def _enter(self, phase: Phase, note: str = "") -> None:
        self._phase = phase, note
        self._noted = time.monotonic()
        self._reporter.phase(phase, note)

    def _give_sign_of_life(self) -> None:
        """Report the phase anew now and then, so that a rank with long steps is not taken for hung."""
        if time.monotonic() - self._noted > NOTE_INTERVAL:
            self._enter(*self._phase)


def steps_within(asked: int, pace: float) -> int:
    """Return how many steps of `pace` seconds to take: as many as asked, or fewer where it takes too long."""
    return min(asked, max(round(SECONDS / pace), min(FEWEST, max(1, int(MOST_DETAIL_SECONDS / pace)))))
