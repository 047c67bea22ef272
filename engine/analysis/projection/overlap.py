"""A step of DDP put together from its parts: buckets that travel in turn, behind the backward pass."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from ...record.events import Breakdown, CommunicationMeasured
from ...record.session import RunState
from ..results.bandwidth import Curve
from ..results.buckets import BucketSteps, broadcasting, bucket_sizes, busy_seconds, steps_of
from .collectives import Layout, collective_seconds
from .link_rate import LONGEST, SHORTEST, LinkRate, fitted_rate
from .noise import DRAWS, StepPool, StepRow


class StepSeconds(NamedTuple):
    """Seconds of a step on a number of devices."""

    mean: float
    """Mean step, with the noise of the measured steps."""
    quiet: float
    """Step of which every part takes its median: only the network tells it from one on fewer devices."""
    beyond: float
    """Part of the mean that stands for noise beyond the measured steps, a lower bound."""


class BucketModel(NamedTuple):
    """Step of a run of DDP on more devices than its own."""

    devices: int
    pool: StepPool
    sizes: tuple[int, ...]
    """Bytes of each bucket, in the order in which they are ready."""
    curve: Curve
    rate: LinkRate
    """Rate fitted to the curve."""
    slowdown: float
    """Time that the buckets took over that of the curve, at least 1: training shares the links' ends."""
    broadcasting: float
    """Time of broadcasting the model's buffers before a step, in s."""

    @classmethod
    def of(cls, runs: Sequence[RunState], curve: Curve | None) -> BucketModel | None:
        """Return the model of a run's repeats; None unless all ranks timed the same buckets."""
        rows: dict[int, list[StepRow]] = {}
        repeats: list[BucketSteps] = []
        for run in runs:
            timed = {n: rank.communication for n, rank in run.ranks.items() if rank.communication}
            steps = steps_of(timed, run.spec.world_size)
            if steps is None or (repeats and steps.buckets != repeats[0].buckets):
                continue
            repeats.append(steps)
            for number, rank in run.ranks.items():
                if rank.breakdown is not None:
                    rows.setdefault(number, []).extend(_rows(rank.breakdown, timed[number]))
        if not repeats or curve is None or len(rows) < len(repeats[0].ranks):
            return None
        pool, sizes, devices = StepPool.of(rows), bucket_sizes(repeats), len(repeats[0].ranks)
        rate, early = fitted_rate(curve, devices), broadcasting(repeats)
        if pool is None or rate is None or min(sizes) <= 0:
            return None
        idle = sum(map(curve.seconds, sizes))
        return cls(
            devices=devices,
            pool=pool,
            sizes=sizes,
            curve=curve,
            rate=rate,
            slowdown=max(1.0, min(busy_seconds(repeats), LONGEST) / max(idle, SHORTEST)),
            broadcasting=min(max(0.0, fmean(early.values())), LONGEST) if early else 0.0,
        )

    def transfers(self, layout: Layout, between: LinkRate | None) -> list[float]:
        """Return the time of each bucket's all-reduce on these devices.

        On one machine it is the measured time, in proportion to the fitted ring. Several machines take as
        long as one of them, and longer by as much as the model says.
        """
        here, inside = Layout(self.devices, 1), Layout(layout.per_machine, 1)
        found = []
        for size in self.sizes:
            machine = self._modelled(size, inside, None)
            growth = machine / self._modelled(size, here, None)
            alone = self.slowdown * self.curve.seconds(size) * growth
            found.append(alone + max(0.0, self._modelled(size, layout, between) - machine))
        return found

    def step(
        self, layout: Layout, between: LinkRate | None = None, seed: int = 0, draws: int = DRAWS
    ) -> StepSeconds:
        """Return the seconds of a step on these devices; equal arguments give equal seconds."""
        transfers = self.transfers(layout, between)
        source = random.Random(seed)
        slowest = (self.pool.slowest_of(layout.devices, source) for _ in range(draws))
        beyond = self.pool.beyond(layout.devices)
        return StepSeconds(
            mean=self.broadcasting + fmean(chained(ready, transfers) for ready in slowest) + beyond,
            quiet=self.broadcasting + chained(self.pool.quiet(), transfers),
            beyond=beyond,
        )

    def resampled(self, seed: int) -> BucketModel:
        """Return the model of steps that are drawn from the measured ones with repetition."""
        return self._replace(pool=self.pool.resampled(random.Random(seed)))

    def _modelled(self, size: int, layout: Layout, between: LinkRate | None) -> float:
        return collective_seconds("all_reduce", size, layout, self.rate, between)


def chained(ready: Sequence[float], transfers: Sequence[float]) -> float:
    """Return when the last bucket has travelled; each waits to be ready, and for the one before."""
    end = 0.0
    for moment, seconds in zip(ready, transfers, strict=True):
        end = max(end, moment) + seconds
    return end


def _rows(parts: Breakdown, timed: CommunicationMeasured) -> list[StepRow]:
    """Return the steps of one rank, as many as both events have.

    A step is counted from the end of the last all-reduce of the one before. Until its last bucket is ready
    passes the whole step but its exposed communication: what follows an all-reduce, such as the optimizer,
    comes first.
    """
    starts = [bucket.start for bucket in timed.buckets]
    count = min(map(len, (parts.step, parts.exposed, *starts)))
    rows = []
    for step in range(count):
        last = max(start[step] for start in starts)
        whole = parts.step[step] - parts.exposed[step]
        rows.append(tuple(min(max(0.0, whole - (last - start[step])), LONGEST) for start in starts))
    return rows
