"""Differences between two inspections of what should be one machine."""

from __future__ import annotations

from collections.abc import Iterator

from .facts import Gpu, Host


def host_differences(before: Host, now: Host) -> list[str]:
    """Return the lasting differences, as `NAME: NOW against BEFORE`; load and memory in use do not count."""
    ours, theirs = dict(_facts(now)), dict(_facts(before))
    if now.variables is not None and before.variables is not None:
        ours["environment"], theirs["environment"] = now.variables, before.variables
    return [
        f"{name}: {ours.get(name, 'none')} against {theirs.get(name, 'none')}"
        for name in dict.fromkeys([*theirs, *ours])
        if ours.get(name) != theirs.get(name)
    ]


def _facts(host: Host) -> Iterator[tuple[str, str]]:
    yield "host", host.name
    yield "processor", host.cpu.model
    yield "usable CPUs", ", ".join(map(str, host.cpu.cores))
    for gpu in host.gpus:
        yield f"GPU {gpu.index}", _described(gpu)
    for link in host.links:
        yield f"link {link.a}-{link.b}", link.kind
    software = host.software
    for name in software.__struct_fields__:
        if (value := getattr(software, name)) is not None:
            yield name, str(value)


def _described(gpu: Gpu) -> str:
    limit = "" if gpu.power_limit_watts is None else f", limit {gpu.power_limit_watts:g} W"
    return f"{gpu.name} ({gpu.uuid}{limit}{', MIG' if gpu.mig else ''})"
