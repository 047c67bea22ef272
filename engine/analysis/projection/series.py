"""Measured runs of a session that differ only in their number of devices: what a projection is based on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...record.events import Piece
from ...record.session import RunState, Session
from ..results.comparable import differences
from ..results.configuration import Configuration
from ..results.datasheet import link_kind
from ..results.result import Result

MODES = ("ddp", "fsdp")
"""Modes that can reach beyond one machine."""


class MeasuredCount(NamedTuple):
    """A configuration with its figures."""

    configuration: Configuration
    result: Result

    @property
    def run(self) -> RunState:
        """First of its usable runs."""
        return self.configuration.usable[0]

    @property
    def devices(self) -> int:
        """Number of its devices."""
        return self.configuration.spec.device_count

    @property
    def pieces(self) -> list[Piece]:
        """Pieces that FSDP gathers; none in other modes."""
        return next((rank.pieces for rank in self.run.ranks.values() if rank.pieces), [])

    @property
    def step_seconds(self) -> float:
        """Time of a step in its windows."""
        assert self.result.step_seconds is not None
        return self.result.step_seconds


class DeviceSeries(NamedTuple):
    """Runs of one mode, workload and batch per device on different numbers of devices."""

    alone: MeasuredCount | None
    """The same training on one device."""
    counts: tuple[MeasuredCount, ...]
    """Runs on several devices, at least one, by their number."""

    @property
    def largest(self) -> MeasuredCount:
        """Run on the most devices."""
        return self.counts[-1]

    @property
    def results(self) -> tuple[Result, ...]:
        """Results of all of its runs."""
        alone = () if self.alone is None else (self.alone,)
        return tuple(one.result for one in (*alone, *self.counts))


def device_series(
    session: Session, planned: Sequence[Configuration], found: Sequence[Result]
) -> list[DeviceSeries]:
    """Return the series of a session, in the order of the plan; a trial or tune has none."""
    if session.plan.trial is not None or session.plan.tune is not None:
        return []
    measured = [
        MeasuredCount(configuration, result)
        for configuration, result in zip(planned, found, strict=True)
        if result.state == "measured"
        and result.throughput
        and result.step_seconds
        and result.global_batch > 0
    ]
    groups: list[list[MeasuredCount]] = []
    for one in measured:
        if one.configuration.spec.mode not in MODES or one.devices < 2:
            continue
        group = next((group for group in groups if _alike(one, group[0])), None)
        if group is None:
            groups.append([one])
        elif all(one.devices != other.devices for other in group):
            group.append(one)
    return [
        DeviceSeries(_alone(measured, group[0]), tuple(sorted(group, key=lambda one: one.devices)))
        for group in groups
    ]


def island(session: Session, largest: MeasuredCount) -> int:
    """Return how many devices the links that were measured connect, the run's own included.

    They are all devices of the machine, unless the slowest link between any two of its GPUs is another one
    than that between the run's.
    """
    spec = largest.configuration.spec
    if not any(device.kind == "cuda" for device in spec.devices):
        return max(largest.devices, len(session.plan.devices))
    own = [device.index for device in spec.devices]
    names = {gpu.name for gpu in session.host.gpus if gpu.index in own}
    alike = [gpu.index for gpu in session.host.gpus if gpu.name in names]
    everywhere = link_kind(session.host.links, alike)
    if len(alike) <= largest.devices or everywhere != link_kind(session.host.links, own):
        return largest.devices
    return len(alike)


def _alike(one: MeasuredCount, other: MeasuredCount) -> bool:
    ours, theirs = one.configuration.spec, other.configuration.spec
    return (
        ours.mode == theirs.mode
        and ours.batch_per_device() == theirs.batch_per_device()
        and ours.varied == theirs.varied
        and not differences(one.run, other.run)
    )


def _alone(measured: Sequence[MeasuredCount], one: MeasuredCount) -> MeasuredCount | None:
    """Return the run on one device that has the same workload and batch, `single` before the mode's own."""
    spec = one.configuration.spec
    for mode in ("single", spec.mode):
        for other in measured:
            theirs = other.configuration.spec
            if (
                (theirs.mode, other.devices) == (mode, 1)
                and theirs.batch_per_device() == spec.batch_per_device()
                and all(spec.varied.get(key, value) == value for key, value in theirs.varied.items())
                and not differences(one.run, other.run)
            ):
                return other
    return None
