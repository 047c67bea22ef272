"""Connections between GPUs, in the words of `nvidia-smi topo`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from ..facts import Link
from .devices import SWITCH, NvmlDevice

# nvmlGpuTopologyLevel_t of nvml.h
LEVELS = {
    0: "PIX",  # on one board
    10: "PIX",
    20: "PXB",
    30: "PHB",
    40: "NODE",
    50: "SYS",
}


def find_links(devices: Sequence[NvmlDevice]) -> tuple[Link, ...]:
    """Return the best connection of each pair of GPUs, except pairs that the driver says nothing about."""
    nvlinks = {device.index: device.nvlinks() for device in devices}
    links = []
    for a, b in combinations(devices, 2):
        direct = nvlinks[a.index][b.pci_bus_id] if b.pci_bus_id else 0
        # Through a switch every GPU reaches every other one with all the links it has there.
        switched = min(nvlinks[a.index][SWITCH], nvlinks[b.index][SWITCH])
        if direct + switched:
            kind: str | None = f"NV{direct + switched}"
        else:
            level = a.common_ancestor(b)
            kind = None if level is None else LEVELS.get(level)
        if kind is not None:
            links.append(Link(a.index, b.index, kind, a.peer_access(b)))
    return tuple(links)
