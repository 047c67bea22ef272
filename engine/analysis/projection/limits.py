"""Limits of a projection: never beyond links that were measured or given, nor by a method that misses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...text.units import percent
from .check import ModelCheck
from .collectives import Layout
from .link_rate import EXAMPLE, LinkRate
from .series import DeviceSeries, MeasuredCount
from .step_model import StepModel, batch_of_step, passes_of


class Wanted(NamedTuple):
    """A number of devices to project to, and what is known or asked of them."""

    devices: int
    reach: int
    """Devices that the measured links connect."""
    link: LinkRate | None
    """Rate between machines, as given."""
    global_batch: int | None
    """Samples of a step, if they are to be these."""

    @property
    def layout(self) -> Layout:
        """Devices of one machine, or full machines of them."""
        if self.devices <= self.reach:
            return Layout(self.devices, 1)
        return Layout(self.reach, self.devices // self.reach)

    @property
    def between(self) -> LinkRate | None:
        """Rate between machines; None where there is but one."""
        return self.link if self.layout.machines > 1 else None

    def passes(self, largest: MeasuredCount) -> int | None:
        """Return the passes of a step; None if no whole number of them gives the global batch."""
        if self.global_batch is None:
            return passes_of(largest)
        a_pass = batch_of_step(largest.configuration.spec, self.devices, 1)
        passes, rest = divmod(self.global_batch, a_pass)
        return passes if passes and not rest else None


def why_not(series: DeviceSeries, model: StepModel | None, check: ModelCheck | None, wanted: Wanted) -> str:
    """Return why nothing is projected to so many devices, a clause; empty if something is."""
    found = _in_measurements(series, model, check, wanted)
    if model is None:
        return next(found)
    return next(found, "") or next(_in_links(model, wanted), "")


def _in_measurements(
    series: DeviceSeries, model: StepModel | None, check: ModelCheck | None, wanted: Wanted
) -> Iterator[str]:
    """Yield what the measured runs leave unsaid."""
    largest = series.largest
    if wanted.devices <= largest.devices:
        yield f"{largest.devices} devices were measured, and only more are projected"
    if model is None:
        yield "neither its buckets nor the same training on one device were measured"
    if check is not None and check.too_far:
        yield f"the method misses the measured run on {check.devices} devices by {percent(abs(check.error))}"
    passes = wanted.passes(largest)
    if passes is None:
        batch = largest.result.batch_per_device
        yield f"a global batch of {wanted.global_batch:,} is not a multiple of {batch} on each device"
    elif model is not None and passes != passes_of(largest) and model.pass_seconds is None:
        yield "the time of a pass is not known without a run on one device"


def _in_links(model: StepModel, wanted: Wanted) -> Iterator[str]:
    """Yield what is not known of the links that so many devices need."""
    if wanted.devices <= wanted.reach:
        return
    if wanted.link is None:
        yield (
            f"the measured links connect {wanted.reach} devices; for more, gpubench-tui project takes the "
            f"rate between machines, as --link {EXAMPLE}"
        )
    if not model.reaches_machines:
        yield "its buckets and their bandwidth were not measured, so that the rate of a link says nothing"
    if wanted.devices % wanted.reach:
        yield f"they do not fill machines of {wanted.reach} devices each"
