"""GPUs that CUDA_VISIBLE_DEVICES leaves to this process, read as CUDA and torch read it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence


def visible(value: str | None, gpus: Sequence[str], slices: Mapping[str, str]) -> list[str]:
    """Return the UUIDs of the GPUs and MIG slices that the variable's value names, in its order.

    `gpus` are the UUIDs of all GPUs in PCI bus order ("" for one that does not answer), `slices` gives the
    UUID of a slice by each of its names. The first entry decides whether all are indices, GPU UUIDs or
    MIG names; an invalid one hides itself and all that follow; one named twice hides every GPU.
    """
    if value is None:
        return list(gpus)
    entries = value.split(",")
    chosen: list[str] = []
    for entry in entries:
        uuid = _resolve(entry.strip(), entries[0].strip()[:4], gpus, slices)
        if uuid is None:
            break
        if uuid and uuid in chosen:
            return []
        chosen.append(uuid)
    return chosen


def _resolve(entry: str, form: str, gpus: Sequence[str], slices: Mapping[str, str]) -> str | None:
    if form == "GPU-":
        return _by_prefix(entry, form, {uuid: uuid for uuid in gpus})
    if form == "MIG-":
        return _by_prefix(entry, form, slices)
    number = re.match(r"\+?\d+", entry)  # CUDA stops reading a number where its digits end
    index = int(number[0]) if number else -1
    return gpus[index] if 0 <= index < len(gpus) else None


def _by_prefix(entry: str, form: str, names: Mapping[str, str]) -> str | None:
    if not entry.startswith(form):
        return None
    if entry in names:
        return names[entry]
    matches = {uuid for name, uuid in names.items() if name.startswith(entry)}
    return matches.pop() if len(matches) == 1 else None


def by_index(value: str | None) -> bool:
    """Return whether the value names GPUs by their indices."""
    return value is not None and re.match(r"\s*\+?\d", value) is not None
