"""Hardware, software and settings with which a session was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..plan.plan import Device, Plan
from ..record.session import Session
from ..text.units import NOT_AVAILABLE, gib, number
from .results.comparable import Setting
from .results.result import Result

Row = tuple[str, str]
VENDOR = "NVIDIA "
"""Beginning of the names of GPUs, which is left out where there is little room."""


def devices(plan: Plan) -> str:
    """Describe the plan's devices: `2 x NVIDIA H200`, `2 CPU shares (core 0 | core 1)`."""
    return device_names(plan.devices)


def device_names(used: Sequence[Device]) -> str:
    """Describe devices in the same way."""
    names = [device.name for device in used]
    if used and used[0].kind == "cpu":
        return f"{len(names)} CPU share{'s' if len(names) > 1 else ''} ({' | '.join(names)})"
    return " + ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


def hardware(session: Session) -> str:
    """Describe the machine in one line: `host: 2 x NVIDIA H200, torch 2.13.0, CUDA 13.0`."""
    host, software = session.host, session.host.software
    parts = [devices(session.plan) or host.cpu.model]
    if session.plan.devices and session.plan.devices[0].kind == "cpu":
        parts.append(host.cpu.model)
    parts.append(f"torch {software.torch or NOT_AVAILABLE}")
    if software.torch_cuda:
        parts.append(f"CUDA {software.torch_cuda}")
    return f"{host.name}: {', '.join(parts)}"


def environment(session: Session) -> list[Row]:
    """Return name and value of every fact known of the machine before the session began."""
    return [*_machine(session), *_gpus(session), *_software(session)]


def settings(session: Session) -> list[Row]:
    """Return the settings that ranks reported; differing values with the number of their runs."""
    values: dict[str, list[Setting]] = {}
    for run in session.runs.values():
        first = min(run.ranks, default=None)
        for key, value in run.ranks[first].settings.items() if first is not None else ():
            values.setdefault(key, []).append(value)
    return [(key, _counted(found)) for key, found in values.items()]


def fingerprints(found: Sequence[Result]) -> list[str]:
    """Return each fingerprint with its runs; runs of equal fingerprint are comparable."""
    labels: dict[str, list[str]] = {}
    for result in found:
        if result.fingerprint is not None:
            labels.setdefault(result.fingerprint, []).append(result.label)
    return [f"`{digest}`: {'; '.join(runs)}" for digest, runs in labels.items()]


def _counted(found: list[Setting]) -> str:
    distinct = list(dict.fromkeys(map(_written, found)))
    if len(distinct) == 1:
        return distinct[0]
    texts = [_written(value) for value in found]
    return "; ".join(f"{text} in {texts.count(text)} of {len(texts)} runs" for text in distinct)


def _written(value: Setting) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _machine(session: Session) -> Iterator[Row]:
    host, cpu = session.host, session.host.cpu
    yield "host", host.name
    yield "processor", f"{cpu.model}, {len(cpu.cores)} logical CPUs on {cpu.physical} cores usable here"
    yield "memory", gib(cpu.memory_bytes)
    yield "load average at the start", "n/a" if cpu.load_average is None else f"{cpu.load_average:.2f}"


def _gpus(session: Session) -> Iterator[Row]:
    host = session.host
    for gpu in host.gpus:
        facts = [gpu.name, gib(gpu.memory_bytes)]
        if gpu.power_limit_watts is not None:
            facts.append(f"limit {number(gpu.power_limit_watts)} W")
        if gpu.memory_used_bytes is not None:
            facts.append(f"{gib(gpu.memory_used_bytes)} in use at the start")
        if gpu.mig:
            facts.append("MIG")
        if gpu.processes:
            facts.append(f"{len(gpu.processes)} other processes at the start")
        yield f"GPU {gpu.index}", ", ".join(facts)
    if not host.gpus:
        yield "GPUs", "none"
    if host.links:
        yield "links", ", ".join(f"{link.a}-{link.b} {link.kind}" for link in host.links)


def _software(session: Session) -> Iterator[Row]:
    software = session.host.software
    yield "platform", software.platform
    yield "Python", software.python
    yield "torch", software.torch or NOT_AVAILABLE
    yield "torch built for", f"CUDA {software.torch_cuda}" if software.torch_cuda else "CPU"
    yield "torchvision", software.torchvision or NOT_AVAILABLE
    if software.driver:
        yield "driver", software.driver
    yield "gpubench-tui", session.program
