"""The step of a series on more devices: measured on the most of them, and changed by what a model adds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal, NamedTuple

from ...plan.plan import RunSpec
from ...statistics import NORMAL
from .collectives import Layout
from .growth import PieceModel, ProportionalModel, TimedStep
from .link_rate import LinkRate
from .overlap import BucketModel, StepSeconds
from .series import DeviceSeries, MeasuredCount

Method = Literal["buckets", "pieces", "proportional"]
"""`buckets`: DDP's measured buckets and noise, simulated; `pieces`: FSDP's collectives at measured rates;
`proportional`: the cost of several devices, grown like the traffic of a ring."""
METHODS: tuple[Method, ...] = ("buckets", "pieces", "proportional")

RESAMPLES = 16
"""Resampled models whose steps tell how certain the simulated noise is."""
RESAMPLED_DRAWS = 50


class StepModel(NamedTuple):
    """A model of a series' step, calibrated on its run on the most devices."""

    method: Method
    series: DeviceSeries
    buckets: BucketModel | None = None
    pieces: PieceModel | None = None
    proportional: ProportionalModel | None = None

    @property
    def largest(self) -> MeasuredCount:
        """Run on the most devices, whose measured step is kept."""
        return self.series.largest

    @property
    def reaches_machines(self) -> bool:
        """Whether the model knows what travels between several machines."""
        return self.method != "proportional"

    @property
    def rates(self) -> tuple[LinkRate, ...]:
        """Rates fitted to the measured curves."""
        if self.buckets is not None:
            return (self.buckets.rate,)
        return (self.pieces.gather, self.pieces.scatter) if self.pieces is not None else ()

    def step(self, layout: Layout, passes: int, between: LinkRate | None = None) -> StepSeconds:
        """Return the seconds of a step of so many passes on these devices, never less than measured."""
        measured = self.largest.step_seconds
        more = (passes - passes_of(self.largest)) * (self.pass_seconds or 0.0)
        if self.proportional is not None:
            seconds = self.proportional.step(layout.devices, passes)
            return StepSeconds(seconds, seconds, 0.0)
        if self.pieces is not None:
            seconds = measured + max(0.0, self.pieces.excess(layout, between)) + more
            return StepSeconds(seconds, seconds, 0.0)
        assert self.buckets is not None
        then, now = self.buckets.step(layout, between), self.buckets.step(self._here)
        return StepSeconds(
            measured + max(0.0, then.mean - now.mean) + more,
            measured + max(0.0, then.quiet - now.quiet) + more,
            then.beyond,
        )

    @property
    def pass_seconds(self) -> float | None:
        """Time of one more forward and backward pass, as on one device alone; None where that is unknown."""
        alone = self.series.alone
        return None if alone is None else alone.step_seconds / passes_of(alone)

    def reproduced(self) -> float | None:
        """Return the step on the measured devices as put together from its parts alone; None without them."""
        return None if self.buckets is None else self.buckets.step(self._here).mean

    def uncertainty(self, layout: Layout, between: LinkRate | None) -> float:
        """Return half the 95% interval of the simulated step, in s, by bootstrap over the measured steps."""
        if self.buckets is None:
            return 0.0
        added = []
        for seed in range(RESAMPLES):
            model = self.buckets.resampled(seed)
            then = model.step(layout, between, seed, RESAMPLED_DRAWS)
            added.append(then.mean - model.step(self._here, None, seed, RESAMPLED_DRAWS).mean)
        return NORMAL * statistics.stdev(added)

    @property
    def _here(self) -> Layout:
        return Layout(self.largest.devices, 1)


def passes_of(one: MeasuredCount) -> int:
    """Return the forward and backward passes of each of its steps."""
    return one.configuration.spec.workload.accumulate


def batch_of_step(spec: RunSpec, devices: int, passes: int) -> int:
    """Return the samples of a step of so many passes at the run's batch per device."""
    return spec.batch_per_device() * devices * passes


def step_model(series: DeviceSeries, methods: Sequence[Method] = METHODS) -> StepModel | None:
    """Return the first of these models that the figures of a series allow; None if none does."""
    largest, alone = series.largest, series.alone
    spec, cost = largest.configuration.spec, largest.result.communication
    curves = cost.curves if cost is not None else {}
    for method in methods:
        if method == "buckets" and spec.mode == "ddp":
            buckets = BucketModel.of(largest.configuration.usable, curves.get("all_reduce"))
            if buckets is not None:
                return StepModel(method, series, buckets=buckets)
        elif method == "pieces" and spec.mode == "fsdp":
            pieces = PieceModel.of(largest.devices, largest.pieces, curves)
            if pieces is not None:
                return StepModel(method, series, pieces=pieces)
        elif method == "proportional" and alone is not None:
            first, last = (
                TimedStep(one.devices, passes_of(one), one.step_seconds) for one in (alone, largest)
            )
            return StepModel(method, series, proportional=ProportionalModel.through(first, last))
    return None
