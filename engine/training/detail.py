"""After the windows: where the steps go, what communication costs, and what it could cost.

Nothing here touches what was measured before. The steps are the same, taken apart; their moments are marked
in the device's stream and read when all are over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

from ..plan.plan import RunSpec
from ..record.events import Bandwidth, Breakdown, BucketTimes, Communication
from .bandwidth import OF_MODE, measure_bandwidth
from .communication import BucketHook, ddp_of, take_turns
from .data import Batch, Batches
from .group import NOTE_INTERVAL, Group
from .logger import DdpLogger
from .reporter import Reporter
from .timing import Mark, clock_for
from .trainer import Trainer

LEAD = 3
"""Steps before those that count: a loader has begun anew, a hook is new."""
CHECKED = 5
"""Steps whose exposed communication is compared with what torch's logger says."""


class Moments(NamedTuple):
    """When the parts of one step began, and when it ended."""

    start: Mark
    fetched: Mark
    placed: Mark
    predicted: Mark
    backed: Mark
    updated: Mark


class Detail:
    """A closer look at one rank's steps."""

    def __init__(
        self,
        run: RunSpec,
        trainer: Trainer,
        batches: Batches,
        everyone: Group,
        team: Group,
        reporter: Reporter,
        pace: float,
    ) -> None:
        """`pace`: seconds of a step, the same on all ranks of the team."""
        self._run = run
        self._trainer = trainer
        self._batches = batches
        self._everyone = everyone
        self._team = team
        self._clock = reporter.clock
        self._reporter = reporter
        self._pace = pace
        self._stream: Iterator[Batch] = iter(())
        self._spoken = 0.0

    def look(self) -> None:
        """Do it all, and report it."""
        self._reporter.phase("detail")
        self._stream = self._batches.fetch(self._run.measure.epochs, None)
        self._everyone.meet("detail", lambda: self._reporter.phase("detail", "waiting for other ranks"))
        ddp = ddp_of(self._trainer.model)
        if ddp is None or self._team.world_size == 1:
            self._break_down(None)
        else:
            self._reporter.phase("communication", "steps with and without synchronisation")
            turns = take_turns(ddp, self._team, self._timed, self._pace)
            self._reporter.phase("detail")
            hook = BucketHook(ddp, clock_for([self._clock.device]))
            self._report_communication(self._break_down(hook), *turns)
            self._check(hook, DdpLogger(ddp))
        for collective in OF_MODE.get(self._run.mode, ()) if self._team.world_size > 1 else ():
            self._reporter.phase("communication", f"bandwidth of {collective}")
            sizes, seconds = measure_bandwidth(collective, self._team, self._clock)

    def _break_down(self, hook: BucketHook | None) -> list[BucketTimes]:
        """Take the steps of the detail phase, and report where they went."""
        self._team.gather([0.0])
        self._train(LEAD, hook)
        if hook is not None:
            hook.steps.clear()
        anchor, at = self._anchor()
