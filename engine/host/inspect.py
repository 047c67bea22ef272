"""Inspection of the machine before a session: GPUs, links, CPU, software, and what stayed unknown."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from msgspec import Struct

from .cpu import inspect_cpu
from .facts import Gpu, Host, Link
from .gpu.devices import NvmlDevice, all_devices
from .gpu.links import find_links
from .gpu.nvml import Nvml, NvmlUnavailable
from .gpu.visibility import by_index, visible
from .software import inspect_software, mismatches

# Without persistence mode the driver wakes each GPU when it is opened, some seconds for eight of them.
PATIENCE = 30.0


class _Survey(Struct):
    """Facts of this machine from NVML."""

    gpus: list[Gpu] = []
    """Usable GPUs."""
    count: int = 0
    """Number of GPUs in the machine."""
    links: tuple[Link, ...] = ()
    driver: str | None = None
    driver_cuda: str | None = None
    notes: list[str] = []


def inspect_host(gpus: Sequence[int] | None = None) -> Host:
    """Inspect this machine, with all visible GPUs or those chosen by index in PCI bus order.

    What cannot be found out becomes a note, not an error. Raises ValueError with one sentence for an index
    that does not exist or is hidden. An empty choice leaves all GPUs unused.
    """
    survey = _within(PATIENCE, _survey)
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
        notes=(*survey.notes, *mismatches(software, len(chosen)), *cpu_notes),
    )


def _survey() -> _Survey:
    try:
        nvml = Nvml()
    except NvmlUnavailable as error:
        return _Survey(notes=[str(error)])
    try:
        devices, closed = all_devices(nvml)
        survey = _Survey(count=len(devices), driver=nvml.driver(), driver_cuda=nvml.driver_cuda())
        survey.notes = [f"GPU {index} does not answer" for index, device in enumerate(devices) if not device]
        if closed:
            survey.notes.append(f"this user may not open {closed} more of the machine's GPUs")
        if not devices:
            survey.notes.append("the NVIDIA driver found no GPU")
        used = _usable(devices, survey.notes)
        for device in used:
            facts = device.facts()
            if facts is None:
                survey.notes.append(f"GPU {device.index} does not answer")
            else:
                survey.gpus.append(facts)
        survey.links = find_links(used)
        survey.notes += nvml.take_missing()
    finally:
        nvml.close()
    return survey


def _usable(devices: Sequence[NvmlDevice | None], notes: list[str]) -> list[NvmlDevice]:
    """Return the devices that CUDA_VISIBLE_DEVICES leaves, in PCI bus order; of MIG slices at most one."""
    present = [device for device in devices if device is not None]
    slices = {part.uuid: part for device in present for part in device.slices}
    names = {name: part.uuid for part in slices.values() for name in (part.uuid, part.other_name) if name}
    known = {device.uuid: device for device in present} | slices
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = visible(value, [device.uuid if device else "" for device in devices], names)
    if value is not None and devices and not chosen:
        notes.append(f'CUDA_VISIBLE_DEVICES="{value}" hides every GPU')
    found = sorted((known[uuid] for uuid in chosen if uuid), key=lambda device: device.index)
    models = {device.name for device in present}
    if by_index(value) and len(models) > 1 and os.environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        notes.append(
            "the indices in CUDA_VISIBLE_DEVICES are read in PCI bus order; other CUDA programs number these "
            "different GPUs by speed unless CUDA_DEVICE_ORDER=PCI_BUS_ID is set"
        )
    return _without_divided(found, notes)


def _without_divided(devices: Sequence[NvmlDevice], notes: list[str]) -> list[NvmlDevice]:
    """Keep at most one MIG slice, and none beside whole GPUs: CUDA shows a process no more than that."""
    whole = [device for device in devices if not device.mig]
    parts = [part for device in devices if device.mig for part in (device.slices or [device])]
    empty = [part for part in parts if part.uuid.startswith("GPU-")]
    parts = [part for part in parts if part not in empty]
    notes += [f"GPU {device.index} is divided by MIG but has no slice to compute on" for device in empty]
    if whole and parts:
        left_out = ", ".join(str(index) for index in sorted({part.index for part in parts}))
        notes.append(
            f"GPU {left_out} is divided by MIG and left out: CUDA shows no slice beside whole GPUs; to use "
            "one, name it alone in CUDA_VISIBLE_DEVICES"
        )
    if whole or not parts:
        return whole
    if len(parts) > 1:
        notes.append(f"of {len(parts)} MIG slices only the first is used: CUDA shows a process no more")
    return parts[:1]


def _choose(gpus: Sequence[int], survey: _Survey) -> list[Gpu]:
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


def _within(seconds: float, survey: Callable[[], _Survey]) -> _Survey:
    """Return the survey, or an empty one if the driver hangs, which cannot be interrupted."""
    future: Future[_Survey] = Future()

    def look() -> None:
        try:
            future.set_result(survey())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=look, name="survey", daemon=True).start()
    try:
        return future.result(timeout=seconds)
    except FutureTimeoutError:
        return _Survey(notes=[f"the NVIDIA driver did not answer within {seconds:.0f} s: no GPU is used"])
