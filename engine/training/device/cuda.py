"""NVIDIA GPUs as a rank's devices. Nothing outside this module calls torch.cuda."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import torch
from torch import Tensor

from ...plan.plan import Device
from ..errors import TrainingError
from .clock import Clock, Mark
from .devices import Peaks, Settings

LOOPBACK = "=lo"
"""The one network interface that NCCL may use: without the sign it would be a prefix."""


def visible_name(device: Device) -> str:
    """Return what CUDA_VISIBLE_DEVICES calls a GPU: its UUID, or its index in PCI bus order."""
    return device.uuid or str(device.index)


class CudaClock:
    """Reads CUDA events, which are recorded in the first GPU's current stream and used again."""

    def __init__(self, devices: Sequence[torch.device]) -> None:
        self.device = devices[0]
        self._devices = list(devices)
        self._free: list[torch.cuda.Event] = []

    def mark(self) -> Mark:
        """Return an event recorded now."""
        event = self._free.pop() if self._free else torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.device))
        return event

    def reached(self, mark: Mark) -> bool:
        """Return whether the device has passed the event."""
        assert isinstance(mark, torch.cuda.Event)
        return bool(mark.query())  # type: ignore[no-untyped-call]

    def seconds(self, start: Mark, end: Mark) -> float:
        """Return the seconds between the two by the device's own clock."""
        assert isinstance(start, torch.cuda.Event)
        assert isinstance(end, torch.cuda.Event)
        return float(start.elapsed_time(end)) / 1000

    def release(self, mark: Mark) -> None:
        """Keep the event for later."""
        assert isinstance(mark, torch.cuda.Event)
        self._free.append(mark)

    def synchronize(self) -> None:
        """Wait for all the GPUs."""
        for device in self._devices:
            torch.cuda.synchronize(device)

    def enter_thread(self) -> None:
        """Select the GPU: a new thread would open a context on GPU 0, which costs memory there."""
        torch.cuda.set_device(self.device)


class CudaDevices:
    """One GPU, or with DataParallel several."""

    fuses_optimizers = True
    pins_memory = True
    product_sizes: Sequence[int] = (1024, 2048, 4096, 8192)
    product_seconds = math.inf

    def __init__(self, indices: Sequence[int]) -> None:
        """Take GPUs by their indices among those that this process sees."""
        self.indices: list[int] | None = list(indices)
        self.each: Sequence[torch.device] = [torch.device("cuda", index) for index in indices]

    @classmethod
    def claim(cls, own: Sequence[Device], run: Sequence[Device]) -> CudaDevices:
        """Show this process the GPUs of a whole run and no others, and return those that are its own.

        Must come before anything else touches CUDA. Raises TrainingError with CUDA's reason.
        """
        visible = list(dict.fromkeys(map(visible_name, run)))
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(visible)
        # DataParallel uses NCCL too, without a process group; NCCL would listen on a network interface.
        os.environ["NCCL_SOCKET_IFNAME"] = LOOPBACK
        if reason := _unusable(len(visible)):
            names = ", ".join(device.name for device in own)
            raise TrainingError(
                f"torch {torch.__version__} cannot use {names} ({', '.join(visible)}): {reason}"
            )
        devices = cls([visible.index(visible_name(device)) for device in own])
        torch.cuda.set_device(devices.first)
        return devices

    @property
    def first(self) -> torch.device:
        """The GPU that holds the model and the batches."""
        return self.each[0]

    def split(self) -> Sequence[CudaDevices]:
        """Return each GPU by itself."""
        return [CudaDevices([index]) for index in self.indices or ()]

    def new_clock(self) -> Clock:
        """Return a clock whose marks lie in the first GPU's stream."""
        return CudaClock(self.each)

    def host_buffer(self, values: int) -> Tensor:
        """Return uninitialised page-locked float32 memory."""
        return torch.empty(values, pin_memory=True)

    def upload(self, tensor: Tensor) -> Tensor:
        """Copy a tensor to the first GPU by way of page-locked memory, without waiting."""
        return tensor.pin_memory().to(self.first, non_blocking=True)

    def describe(self) -> str:
        """Name the GPUs, equal ones with their number."""
        names = [torch.cuda.get_device_name(device) for device in self.each]
        different = list(dict.fromkeys(names))
        return " + ".join(f"{names.count(n)} x {n}" if names.count(n) > 1 else n for n in different)

    def settings(self, backend: str) -> Settings:
        """Return the versions of CUDA's libraries and the GPU's compute capability."""
        settings: Settings = {
            "cuda": str(torch.version.cuda),
            "cudnn": torch.backends.cudnn.version() or 0,  # type: ignore[no-untyped-call]
            "compute_capability": ".".join(map(str, torch.cuda.get_device_capability(self.first))),
        }
        if "nccl" in backend:
            settings["nccl"] = ".".join(map(str, torch.cuda.nccl.version()))  # type: ignore[no-untyped-call]
        return settings

    def reset_peaks(self) -> None:
        """Forget the most memory allocated until now, and the allocator's retries."""
        for device in self.each:
            torch.cuda.reset_peak_memory_stats(device)
            torch.cuda.reset_accumulated_memory_stats(device)

    def peaks(self) -> Peaks:
        """Return the most memory allocated and reserved since the reset, by GPU."""
        return (
            [torch.cuda.max_memory_allocated(device) for device in self.each],
            [torch.cuda.max_memory_reserved(device) for device in self.each],
        )

    def allocator_retries(self) -> list[int | None]:
        """Return how often since the reset an allocation succeeded only after the cache was freed."""
        return [torch.cuda.memory_stats(device).get("num_alloc_retries") for device in self.each]

    def free_memory(self, ranks: int) -> float:  # noqa: ARG002
        """Return what nobody uses of the first GPU, and what torch's allocator keeps without use."""
        free, _ = torch.cuda.mem_get_info(self.first)
        cached = torch.cuda.memory_reserved(self.first) - torch.cuda.memory_allocated(self.first)
        return float(free + cached)

    def require_sharding(self) -> None:
        """Do nothing: every supported torch has FSDP2 for GPUs."""


def _unusable(wanted: int) -> str | None:
    """Say why torch cannot use that many GPUs; None where it can."""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return str(error).strip().partition("\n")[0] or type(error).__name__
    found = torch.cuda.device_count()
    return f"CUDA shows {found} of {wanted} GPUs" if found < wanted else None
