"""The processor, and the part of it that this process may use."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

from .cgroup import cpu_quota, memory_limit
from .facts import Cpu


def inspect_cpu(root: Path = Path("/")) -> tuple[Cpu, list[str]]:
    """Return the CPU's facts, and notes on its limits; `root` holds /proc and /sys."""
    allowed = allowed_cpus()
    groups = _physical_cores(allowed, root)
    ordered = interleave(groups)
    quota = cpu_quota(root)
    usable = ordered if quota is None else ordered[: max(1, int(quota))]
    notes = []
    if len(usable) < len(ordered):
        notes.append(
            f"a CPU quota allows this process {quota:g} of its {len(ordered)} logical CPUs: "
            f"{len(usable)} of them will be used"
        )
    memory = psutil.virtual_memory().total
    cpu = Cpu(
        model=_model(root),
        cores=tuple(usable),
        physical=sum(not group.isdisjoint(usable) for group in groups),
        memory_bytes=min(memory, memory_limit(root) or memory),
        load_average=os.getloadavg()[0],
    )
    return cpu, notes


def interleave(groups: Iterable[set[int]]) -> list[int]:
    """Return logical CPUs, the first of each physical core before any core's second."""
    ranked = [(rank, core) for group in groups for rank, core in enumerate(sorted(group))]
    return [core for _, core in sorted(ranked)]


def allowed_cpus() -> set[int]:
    """Return the logical CPUs that this process may use."""
    if sys.platform == "linux":
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _physical_cores(allowed: set[int], root: Path) -> list[set[int]]:
    """Group the allowed logical CPUs by physical core; one each where the system does not tell."""
    if sys.platform == "darwin":
        # Nothing can be pinned on macOS: only the number of cores matters.
        physical = psutil.cpu_count(logical=False) or len(allowed)
        return [{core for core in allowed if core % physical == number} for number in range(physical)]
    groups: dict[str, set[int]] = {}
    for core in allowed:
        groups.setdefault(_siblings(core, root), set()).add(core)
    return list(groups.values())


def _siblings(core: int, root: Path) -> str:
    """Return a name of the physical core: the list of its logical CPUs, as in `3,35`."""
    topology = root / f"sys/devices/system/cpu/cpu{core}/topology"
    for name in ("core_cpus_list", "thread_siblings_list"):
        try:
            return (topology / name).read_text().strip()
        except OSError:
            continue
    return str(core)


def _model(root: Path) -> str:
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        brand = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        return brand or platform.machine()
    try:
        lines = (root / "proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    fields = dict(_field(line) for line in lines)
    # An ARM kernel names no model in cpuinfo.
    return fields.get("model name") or platform.processor() or platform.machine()


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()
