"""The devices of a rank as the training sees them: the same interface for GPUs and for a share of a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from .clock import Clock

Settings = dict[str, str | int | float | bool]
"""Whatever two runs must have in common if they are to be compared."""
Peaks = tuple[list[int | None], list[int | None]]
"""Allocated and reserved bytes of each device; for a CPU resident bytes, and nothing reserved."""


class RankDevices(Protocol):
    """The devices of one rank: a single one, or with DataParallel several."""

    each: Sequence[torch.device]
    """Never empty; the model and the batches lie on the first."""
    indices: list[int] | None
    """The numbers by which torch's parallel wrappers take the devices; None where they take none."""
    fuses_optimizers: bool
    """Whether the whole step of an optimizer is one kernel."""
    pins_memory: bool
    """Whether batches are copied to the device from page-locked memory, while it computes."""
    product_sizes: Sequence[int]
    """Rows and columns of the square matrices whose product shows what a device can do, ascending."""
    product_seconds: float
    """Duration of a product that is large enough, so that none larger is tried."""

    @property
    def first(self) -> torch.device:
        """The device that holds the model and the batches."""

    def split(self) -> Sequence[RankDevices]:
        """Return each device by itself."""

    def new_clock(self) -> Clock:
        """Return a clock whose marks lie in the first device's stream, and that waits for all devices."""

    def host_buffer(self, values: int) -> Tensor:
        """Return uninitialised float32 memory that the device can copy to while the host goes on."""

    def upload(self, tensor: Tensor) -> Tensor:
        """Copy a tensor to the first device without waiting for it."""

    def describe(self) -> str:
        """Name the devices for display: `NVIDIA H200`, `2 x NVIDIA L4`, `cpu (1 thread)`."""

    def settings(self, backend: str) -> Settings:
        """Return versions and properties of these devices; `backend` is the process group's."""

    def reset_peaks(self) -> None:
        """Forget the most memory used until now, and the allocator's retries."""

    def peaks(self) -> Peaks:
        """Return the most memory used since the reset."""

    def allocator_retries(self) -> list[int | None]:
        """Return how often since the reset the allocator freed its cache to find room, by device."""

    def free_memory(self, ranks: int) -> float:
        """Return the bytes that this rank can still allocate on its first device, one of `ranks` here."""

    def require_sharding(self) -> None:
        """Raise TrainingError where this torch cannot do FSDP2 on such devices."""
