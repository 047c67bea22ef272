"""Time of a collective on many devices, by the rates of the links within and between their machines."""

from __future__ import annotations

import math
from typing import NamedTuple

from ...record.events import Collective
from ..results.bandwidth import bus_factor
from .link_rate import LinkRate

TREE_BANDWIDTH = 0.92
"""Share of a link's bandwidth that a tree reaches, from the tuner of NCCL (src/graph/tuning.cc)."""


class Layout(NamedTuple):
    """Devices, in equal numbers on each of some machines."""

    per_machine: int
    machines: int

    @property
    def devices(self) -> int:
        """Number of all devices."""
        return self.per_machine * self.machines


def collective_seconds(
    collective: Collective, size: int, layout: Layout, within: LinkRate, between: LinkRate | None
) -> float:
    """Return the time of a collective over `size` bytes, as nccl-tests counts them.

    On one machine it is a ring; on several, the fastest of a ring through all devices, a ring of machines
    between the rings in each, and, for all-reduce, a tree of machines. ValueError without a rate between
    several machines.
    """
    if layout.machines == 1:
        return ring_seconds(collective, size, layout.devices, within)
    if between is None:
        raise ValueError("several machines need the rate between them")
    found = [
        _flat_ring(collective, size, layout, within, between),
        ring_seconds(collective, size, layout.per_machine, within)
        + ring_seconds(collective, size, layout.machines, between),
    ]
    if collective == "all_reduce":
        found.append(_tree(size, layout, within, between))
    return min(found)


def ring_seconds(collective: Collective, size: int, members: int, rate: LinkRate) -> float:
    """Return the time of a ring (Patarasuk & Yuan 2009): 2(N-1) messages for an all-reduce, else N-1."""
    share = bus_factor(collective, members)
    return share * members * rate.latency + share * size / rate.bandwidth


def _flat_ring(
    collective: Collective, size: int, layout: Layout, within: LinkRate, between: LinkRate
) -> float:
    """Return the time of one ring through all devices, which crosses to each machine once."""
    turns = 2 if collective == "all_reduce" else 1
    inside, across = layout.devices - layout.machines, layout.machines - 1
    latency = turns * (inside * within.latency + across * between.latency)
    return latency + bus_factor(collective, layout.devices) * size / min(within.bandwidth, between.bandwidth)


def _tree(size: int, layout: Layout, within: LinkRate, between: LinkRate) -> float:
    """Return the time of a chain in each machine and a binary tree of machines, up and down."""
    depth = math.ceil(math.log2(layout.machines))
    latency = 2 * ((layout.per_machine - 1) * within.latency + depth * between.latency)
    return latency + 2 * size / (TREE_BANDWIDTH * min(within.bandwidth, between.bandwidth))
