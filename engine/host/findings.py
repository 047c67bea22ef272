"""Findings about this machine that will limit or distort a benchmark, reported before one starts."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ..text.grouping import first_names
from ..text.units import GIB
from .facts import Gpu, GpuProcess, Host
from .variables import harmful_variables

DEVICE_FILES = Path("/dev")
SHARED_MEMORY = Path("/dev/shm")
FEW_FILES = 1024
SMALL_SHARED_MEMORY = GIB
LITTLE_DISK = GIB
BUSY_LOAD = 0.5
"""Load average at which the machine counts as busy, as a share of the usable CPUs."""
TAKEN_MEMORY = 0.1
"""Share of a GPU's memory in use above which other processes hold some: the driver keeps less for itself."""


class Finding(Struct, frozen=True):
    """One finding: an `error` prevents measuring, a `warning` distorts figures, an `info` does neither."""

    level: Literal["info", "warning", "error"]
    text: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        """Return the finding with its remedy."""
        return f"{self.text} ({self.remedy})" if self.remedy else self.text


def findings(host: Host, sessions: Path) -> list[Finding]:
    """Return the findings about a host, gravest first; `sessions` is the folder for sessions."""
    order = ("error", "warning", "info")
    found = [*_software(host), *_devices(host), *_unseen_gpus(host), *_cpu(host), *_environment()]
    found += _resources(host, sessions)
    return sorted(found, key=lambda finding: order.index(finding.level))


def _software(host: Host) -> Iterator[Finding]:
    if host.software.torch is None:
        yield Finding("error", "torch is not installed", "pip install torch torchvision")
    elif host.software.torchvision is None:
        yield Finding(
            "warning",
            "torchvision is not installed: CIFAR-10 and torchvision's models cannot be used",
            "pip install torchvision",
        )


def _devices(host: Host) -> Iterator[Finding]:
    for note in host.notes:
        yield Finding("warning" if host.gpus else "info", note)
    if not host.gpus or host.software.torch_cuda is None:
        yield Finding("info", "no usable GPU: runs train on equal shares of the CPU cores, pinned")
    for gpu in host.gpus:
        if gpu.processes:
            yield _in_use(gpu, gpu.processes)
    yield from _hidden_use([gpu for gpu in host.gpus if not gpu.processes])
    divided = [gpu for gpu in host.gpus if gpu.mig]
    if divided:
        yield Finding(
            "warning",
            f"{_names(divided)} divided by MIG: utilisation is n/a, and NCCL uses one instance only",
        )
    names = {gpu.name for gpu in host.gpus}
    if len(names) > 1:
        yield Finding(
            "warning",
            f"the GPUs differ ({', '.join(sorted(names))}): the slowest sets the pace of a run on several",
            "choose equal ones with --gpus",
        )


def _unseen_gpus(host: Host) -> Iterator[Finding]:
    """Warn of GPUs that torch may use and this program does not see, as in a container without NVML."""
    if host.gpus or host.software.driver is not None or host.software.torch_cuda is None:
        return
    files = sorted(file.name for file in DEVICE_FILES.glob("nvidia[0-9]*"))
    if files:
        yield Finding(
            "warning",
            f"there seem to be GPUs ({', '.join(files)} in {DEVICE_FILES}), but none can be measured without "
            "NVIDIA's management library (libnvidia-ml.so.1)",
            "in a container: NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        )


def _environment() -> Iterator[Finding]:
    for setting, effect in harmful_variables():
        yield Finding("warning", f"{setting} is set: {effect}", f"unset {setting.partition('=')[0]}")


def _in_use(gpu: Gpu, processes: Sequence[GpuProcess]) -> Finding:
    users = first_names([_who(process) for process in processes])
    return Finding(
        "warning",
        f"GPU {gpu.index} is in use by {users}: figures will be too low",
        "wait, or choose others with --gpus",
    )


def _hidden_use(gpus: Sequence[Gpu]) -> Iterator[Finding]:
    busy = [(gpu, taken / GIB) for gpu in gpus if (taken := taken_memory(gpu))]
    if busy:
        least, most = min(held for _, held in busy), max(held for _, held in busy)
        much = f"{least:.1f}" if most - least < 0.1 else f"{least:.1f} to {most:.1f}"
        yield Finding(
            "warning",
            f"{_names([gpu for gpu, _ in busy])} in use by processes not visible here, which hold {much} GiB"
            + (" each" if len(busy) > 1 else ""),
            "wait, or choose others with --gpus",
        )


def _names(gpus: Sequence[Gpu]) -> str:
    """`GPU 0 is`, `GPUs 0 to 7 are`, `GPUs 0, 2 are`."""
    indices = [gpu.index for gpu in gpus]
    if len(indices) == 1:
        return f"GPU {indices[0]} is"
    in_a_row = len(indices) > 2 and indices == list(range(indices[0], indices[-1] + 1))
    return f"GPUs {f'{indices[0]} to {indices[-1]}' if in_a_row else ', '.join(map(str, indices))} are"


def taken_memory(gpu: Gpu) -> int | None:
    """Return the bytes that others held on a GPU when it was inspected; None where only the driver did."""
    used, whole = gpu.memory_used_bytes, gpu.memory_bytes
    return used if used and whole and used > TAKEN_MEMORY * whole else None


def _who(process: GpuProcess) -> str:
    """Describe a process by name, id, user and memory, as far as they are known."""
    memory = f"{process.memory_bytes / GIB:.1f} GiB" if process.memory_bytes else ""
    return (
        f"{process.name or 'process'} ({', '.join(filter(None, (str(process.pid), process.user, memory)))})"
    )


def _cpu(host: Host) -> Iterator[Finding]:
    cores, load = len(host.cpu.cores), host.cpu.load_average
    if load is not None and load > BUSY_LOAD * cores:
        yield Finding(
            "warning",
            f"the machine is busy: load {load:.1f} on {cores} usable CPUs",
            "wait until it is idle: other programs distort every measurement",
        )


def _resources(host: Host, sessions: Path) -> Iterator[Finding]:
    place = next(folder for folder in (sessions, *sessions.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        yield Finding("error", f"{place} cannot be written: no session can be kept", "--sessions-dir DIR")
    elif shutil.disk_usage(place).free < LITTLE_DISK:
        yield Finding("warning", f"less than 1 GiB is free in {place}")
    yield from _small_shared_memory(host)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files < FEW_FILES:
        yield Finding("warning", f"only {files} files may be open at a time", "ulimit -n 4096")


def _small_shared_memory(host: Host) -> Iterator[Finding]:
    size = shutil.disk_usage(SHARED_MEMORY).total if SHARED_MEMORY.is_dir() else None
    if size is None or size >= SMALL_SHARED_MEMORY:
        return
    # Between GPUs without peer access NCCL takes some 10 MB a pair of ranks.
    users = "NCCL and loader workers" if len(host.gpus) > 1 else "loader workers"
    yield Finding(
        "warning",
        f"{SHARED_MEMORY} has only {size / GIB:.2f} GiB: {users} may fail",
        "in a container: --shm-size=8g or --ipc=host",
    )
