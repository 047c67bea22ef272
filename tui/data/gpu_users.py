"""Users of the GPUs: the programs on each, whose they are, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...engine.host.facts import Gpu, GpuProcess, GpuSample
from ...engine.host.findings import TAKEN_MEMORY


class GpuUser(NamedTuple):
    """A program of one person on one GPU."""

    user: str
    """Owner of its processes; empty if not known."""
    program: str
    memory_bytes: int | None
    """Memory that its processes hold together; None where the driver does not tell it."""

    @property
    def name(self) -> str:
        """Return owner and program."""
        return f"{self.user} {self.program}".strip()


class GpuState(NamedTuple):
    """A GPU of this machine at one moment."""

    gpu: Gpu
    sample: GpuSample
    is_chosen: bool
    """Whether runs may use it."""
    users: Sequence[GpuUser] | None
    """Programs on it; None where the driver does not tell them."""

    @property
    def is_taken(self) -> bool:
        """Return whether others hold memory on it though no process is visible, as in a container."""
        used, total = self.sample.memory_used_bytes, self.sample.memory_total_bytes
        return not self.users and bool(used and total and used > TAKEN_MEMORY * total)


def gpu_states(
    gpus: Sequence[Gpu], samples: Sequence[GpuSample], chosen: Sequence[int] | None
) -> list[GpuState]:
    """Return the state of each GPU; a GPU without a sample as it was inspected. `chosen`: None for all."""
    newest = {sample.index: sample for sample in samples}
    owners = {process.pid: process.user for gpu in gpus for process in gpu.processes or () if process.user}
    states = []
    for gpu in gpus:
        sample = newest.get(gpu.index) or _as_inspected(gpu)
        is_chosen = chosen is None or gpu.index in chosen
        # A driver that is silent for a while leaves those found by the inspection.
        processes = gpu.processes if sample.processes is None else sample.processes
        states.append(GpuState(gpu, sample, is_chosen, _users(processes, owners)))
    return states


def _as_inspected(gpu: Gpu) -> GpuSample:
    return GpuSample(
        index=gpu.index,
        memory_used_bytes=gpu.memory_used_bytes,
        memory_total_bytes=gpu.memory_bytes,
        processes=gpu.processes,
    )


def _users(processes: Sequence[GpuProcess] | None, owners: Mapping[int, str]) -> list[GpuUser] | None:
    """Return the programs that these processes run, those that hold the most memory first."""
    if processes is None:
        return None
    held: dict[tuple[str, str], int | None] = {}
    for process in processes:
        whose = process.user or owners.get(process.pid, ""), process.name or "hidden program"
        before, more = held.get(whose), process.memory_bytes
        held[whose] = before if more is None else (before or 0) + more
    users = [GpuUser(*whose, memory) for whose, memory in held.items()]
    return sorted(users, key=lambda user: -(user.memory_bytes or 0))
