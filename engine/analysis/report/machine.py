"""The report on a machine that `doctor` gives, as text that fits 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import combinations

from ...host.facts import Gpu, Host, Link
from ...host.findings import Finding
from ...text.grouping import group_labels, index_ranges
from ...text.units import count, gib, number

WIDTH = 76
"""Columns of the text, which has room in a panel of the app on 80 columns."""
LABEL = 13
"""Columns of the labels."""
CELL = 5
"""Least columns of a cell of the matrix of links."""


def machine_report(host: Host, found: Sequence[Finding]) -> str:
    """Return the hardware and software of a host, and what will limit a benchmark on it."""
    lines = [*_hardware_lines(host), "", *_software_lines(host), ""]
    for finding in found:
        text = f"{finding.level}: {finding.sentence}"
        lines += textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_long_words=False)
    if not any(finding.level != "info" for finding in found):
        lines.append("ok: found nothing that would distort a benchmark here")
    return "\n".join(lines)


def _fact(label: str, *texts: str) -> Iterator[str]:
    """Yield a label, and beside it the texts, each on lines of its own."""
    for number_of, text in enumerate(texts):
        first = label if number_of == 0 else ""
        yield from textwrap.wrap(
            text,
            WIDTH,
            initial_indent=first.ljust(LABEL),
            subsequent_indent=" " * LABEL,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _hardware_lines(host: Host) -> Iterator[str]:
    cpu = host.cpu
    yield from _fact("host", host.name)
    cores = f"{count(len(cpu.cores), 'usable CPU')} on {count(cpu.physical, 'core')}"
    yield from _fact("cpu", f"{cpu.model}, {cores}")
    yield from _fact("memory", gib(cpu.memory_bytes))
    yield from _gpus(host.gpus)
    if not host.gpus:
        yield from _fact("gpu", "none")
    elif host.links:
        yield from _links(host)


def _gpus(gpus: Sequence[Gpu]) -> Iterator[str]:
    """Yield what equal GPUs have in common once, then the identifier of each."""
    described: dict[tuple[str, str], list[Gpu]] = {}
    for gpu in gpus:
        described.setdefault((_what(gpu), ", ".join(_settings(gpu))), []).append(gpu)
    for (what, settings), alike in described.items():
        which = index_ranges([gpu.index for gpu in alike])
        label = f"{'gpu' if len(alike) == 1 else 'gpus'} {which}"
        first = what
        if len(label) >= LABEL:
            label, first = "gpus", f"{which}: {what}"
        named = [gpu.uuid if len(alike) == 1 else f"{gpu.index}: {gpu.uuid}" for gpu in alike]
        yield from _fact(label, first, settings, *named)


def _what(gpu: Gpu) -> str:
    capability = ".".join(map(str, gpu.compute_capability)) if gpu.compute_capability else "n/a"
    return f"{gpu.name}, {gib(gpu.memory_bytes)}, compute capability {capability}{_pcie(gpu)}"


def _settings(gpu: Gpu) -> Iterator[str]:
    """Yield what the driver tells of limits and modes."""
    if gpu.power_limit_watts is not None:
        yield f"power limit {number(gpu.power_limit_watts)} W"
    if gpu.sm_clock_max_mhz is not None:
        yield f"clock limit {gpu.sm_clock_max_mhz:.0f} MHz"
    modes = (("ECC", gpu.ecc), ("MIG", gpu.mig), ("persistence mode", gpu.persistence))
    yield from (f"{name} {'on' if state else 'off'}" for name, state in modes if state is not None)


def _pcie(gpu: Gpu) -> str:
    """Return the current PCIe generation and width, with their maxima if higher; empty if unknown."""
    known = (
        ("gen ", gpu.pcie_generation, gpu.pcie_generation_max),
        ("x", gpu.pcie_width, gpu.pcie_width_max),
    )
    words = [
        f"{name}{now}" + (f" (of {most})" if most is not None and most > now else "")
        for name, now, most in known
        if now is not None
    ]
    return f", PCIe {' '.join(words)}" if words else ""


PEER_ACCESS = {True: "peer access", False: "no peer access", None: "peer access not known"}


def _links(host: Host) -> Iterator[str]:
    """Yield the links of each pair of GPUs: in a sentence if they are alike, else as a matrix."""
    kinds = {(link.a, link.b): link for link in host.links}
    pairs = list(combinations([gpu.index for gpu in host.gpus], 2))
    different = {(kinds[pair].kind, kinds[pair].peer_access) if pair in kinds else None for pair in pairs}
    if len(different) == 1 and pairs and pairs[0] in kinds:
        whose = f"all {len(pairs)} pairs of GPUs: " if len(pairs) > 1 else "both GPUs: "
        first = kinds[pairs[0]]
        yield from _fact("links", f"{whose}{first.kind}, {PEER_ACCESS[first.peer_access]}")
        return
    yield from _matrix(host, kinds)
    access = group_labels((f"{link.a}-{link.b}", PEER_ACCESS[link.peer_access]) for link in host.links)
    if len(access) == 1:
        yield from _fact("", f"{access[0][1]} in all pairs")
        return
    yield from _fact("", *(f"{words}: {named}" for named, words in access))


def _matrix(host: Host, kinds: dict[tuple[int, int], Link]) -> Iterator[str]:
    """Yield the matrix as `nvidia-smi topo -m` prints it, in several parts where it is too wide."""
    indices = [gpu.index for gpu in host.gpus]
    cell = max(CELL, *(len(link.kind) + 1 for link in kinds.values()))
    a_part = (WIDTH - LABEL) // (cell + 1) - 1
    for start in range(0, len(indices), a_part):
        columns = indices[start : start + a_part]
        yield _row("" if start else "links", "", [f"GPU{column}" for column in columns], cell)
        for row in indices:
            found = ["X" if row == column else _kind(kinds, row, column) for column in columns]
            yield _row("", f"GPU{row}", found, cell)


def _row(label: str, name: str, cells: Sequence[str], width: int) -> str:
    return (
        label.ljust(LABEL) + name.ljust(width + 1) + "".join(one.ljust(width + 1) for one in cells)
    ).rstrip()


def _kind(kinds: dict[tuple[int, int], Link], a: int, b: int) -> str:
    link = kinds.get((min(a, b), max(a, b)))
    return link.kind if link is not None else "n/a"


def _software_lines(host: Host) -> Iterator[str]:
    software = host.software
    cuda = f"CUDA {software.torch_cuda}" if software.torch_cuda else "no CUDA"
    yield from _fact("python", f"{software.python} on {software.platform}")
    yield from _fact("torch", f"{software.torch} ({cuda})" if software.torch else "not installed")
    yield from _fact("torchvision", software.torchvision or "not installed")
    newest = f" (up to CUDA {software.driver_cuda})" if software.driver_cuda else ""
    yield from _fact("driver", f"{software.driver or 'none'}{newest}")
