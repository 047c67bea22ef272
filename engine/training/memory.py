"""The most memory a rank has used since measuring began, and how hard it was to find."""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

Peaks = tuple[list[int | None], list[int | None]]
"""Allocated and reserved bytes of each device; for a CPU resident bytes, and nothing reserved."""


def reset_peak(devices: Sequence[torch.device]) -> None:
    """Forget what was used until now."""
    for device in devices:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            torch.cuda.reset_accumulated_memory_stats(device)
        else:
            with contextlib.suppress(
                OSError
            ):  # not on Linux, or not allowed: then the peak is since the start
                Path("/proc/self/clear_refs").write_text("5")


def peak(devices: Sequence[torch.device]) -> Peaks:
    """The most used since the reset, by device."""
    if devices[0].type == "cuda":
        return (
            [torch.cuda.max_memory_allocated(device) for device in devices],
            [torch.cuda.max_memory_reserved(device) for device in devices],
        )
    return [_peak_resident()], [None]


def allocator_retries(devices: Sequence[torch.device]) -> list[int | None]:
    """How often since the reset the allocator had to give back its cache to find room, by device."""
    return [
        torch.cuda.memory_stats(device).get("num_alloc_retries") if device.type == "cuda" else None
        for device in devices
    ]


def _peak_resident() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
