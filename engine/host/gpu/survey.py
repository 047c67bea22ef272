"""Survey of this machine's GPUs by NVML: which may be used, their facts and the links between them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .devices import NvmlDevice, all_devices
from .driver import Survey
from .links import find_links
from .nvml import Nvml
from .visibility import by_index, visible


def take_survey() -> Survey:
    """Survey the machine; raises `NvmlUnavailable`."""
    nvml = Nvml()
    try:
        devices, closed = all_devices(nvml)
        survey = Survey(count=len(devices), driver=nvml.driver(), driver_cuda=nvml.driver_cuda())
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
