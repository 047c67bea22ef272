"""Inspection of the machine before a session: GPUs, links, CPU, software, and what stayed unknown."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from .cpu import inspect_cpu
from .facts import Gpu, Host
from .gpu.driver import Driver, DriverError, Survey
from .software import inspect_software, mismatches
from .variables import recorded_variables

# Without persistence mode the driver wakes each GPU when it is opened, some seconds for eight of them.
PATIENCE = 30.0


def inspect_host(gpus: Sequence[int] | None = None) -> Host:
    """Inspect this machine, with all visible GPUs or those chosen by index in PCI bus order.

    What cannot be found out becomes a note, not an error. Raises ValueError with one sentence for an index
    that does not exist or is hidden. An empty choice leaves all GPUs unused.
    """
    if sys.platform == "linux" and not Path("/proc/self").exists():
        raise OSError(
            "/proc, which describes processors and memory, is not mounted: mount -t proc proc /proc"
        )
    survey = _survey()
    software = inspect_software(survey.driver, survey.driver_cuda)
    cpu, cpu_notes = inspect_cpu()
    chosen = survey.gpus if gpus is None else _choose(gpus, survey)
    indices = {gpu.index for gpu in chosen}
    return Host(
        name=socket.gethostname(),
        cpu=cpu,
        software=software,
        gpus=tuple(chosen),
        links=tuple(link for link in survey.links if {link.a, link.b} <= indices),
        variables=recorded_variables(),
        notes=(*survey.notes, *mismatches(software, len(chosen)), *cpu_notes),
    )


def restrict_gpus(host: Host, gpus: Sequence[int]) -> Host | None:
    """Return a host with only those of its GPUs; None if it lacks one, or one is named twice."""
    known = {gpu.index: gpu for gpu in host.gpus}
    if not set(gpus) <= set(known) or len(set(gpus)) < len(gpus):
        return None
    return replace(
        host,
        gpus=tuple(known[index] for index in sorted(gpus)),
        links=tuple(link for link in host.links if {link.a, link.b} <= set(gpus)),
    )


def _choose(gpus: Sequence[int], survey: Survey) -> list[Gpu]:
    known = {gpu.index: gpu for gpu in survey.gpus}
    for index in gpus:
        if index not in known:
            problem = (
                f"GPU {index} is hidden or divided"
                if 0 <= index < survey.count
                else f"there is no GPU {index}"
            )
            usable = f"usable here: {', '.join(map(str, known))}" if known else "no GPU is usable here"
            raise ValueError(f"{problem} ({usable})")
    if len(set(gpus)) < len(gpus):
        raise ValueError("a GPU is named twice: " + ", ".join(str(index) for index in gpus))
    return [known[index] for index in sorted(gpus)]


def _survey() -> Survey:
    """Return the survey, or an empty one if the driver is missing, hangs, or ends the process that asks."""
    try:
        with Driver() as driver:
            return driver.survey(PATIENCE)
    except DriverError as error:
        return Survey(notes=[str(error) if error.is_missing else f"{error}: no GPU is used"])
