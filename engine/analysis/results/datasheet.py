"""Datasheet figures of GPUs and links, shown beside measurements and never in their place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import combinations

from ...host.facts import Gpu, Link
from ...plan.workload.workload import Precision

TERA = 1e12

# Dense peaks in TFLOP/s with 32-bit accumulation: fp32 without tensor cores, tf32, fp16 and bf16 with them.
# None where the GPU has no such unit. NVIDIA's datasheets and architecture papers; the first name that is
# part of NVML's counts. Nothing stands where no datasheet says it.
PEAKS: tuple[tuple[str, dict[Precision, float | None]], ...] = (
    ("H200 NVL", {}),  # slower than the H200 by a factor that its datasheet gives for tensor cores only
    ("H200", {"fp32": 67, "tf32": 494.5, "fp16": 989.5, "bf16": 989.5}),
    ("H100 PCIe", {"fp32": 51, "tf32": 378, "fp16": 756, "bf16": 756}),
    ("H100 80GB HBM3", {"fp32": 67, "tf32": 494.5, "fp16": 989.5, "bf16": 989.5}),
    ("A100", {"fp32": 19.5, "tf32": 156, "fp16": 312, "bf16": 312}),
    ("A30", {"fp32": 10.3, "tf32": 82, "fp16": 165, "bf16": 165}),
    ("A10G", {}),  # sold by one cloud only, and without a public datasheet
    ("A10", {"fp32": 31.2, "tf32": 62.5, "fp16": 125, "bf16": 125}),
    ("L40S", {"fp32": 91.6, "tf32": 183, "fp16": 362, "bf16": 362}),
    ("L4", {"fp32": 30.3, "tf32": 60, "fp16": 121, "bf16": 121}),
    ("T4", {"fp32": 8.1, "tf32": None, "fp16": 65, "bf16": None}),
    ("V100-SXM2", {"fp32": 15.7, "tf32": None, "fp16": 125, "bf16": None}),
    ("V100-PCIE", {"fp32": 14, "tf32": None, "fp16": 112, "bf16": None}),
)

# One NVLink one way in GB/s, by compute capability. P100 20 (NVLink 1), V100 and Turing 25 (2), A100 25 (3),
# GA102 14.0625 (3), H100 and H200 25 (4), B200 50 (5).
NVLINK: dict[tuple[int, int], float] = {
    (6, 0): 20,
    (7, 0): 25,
    (7, 5): 25,
    (8, 0): 25,
    (8, 6): 14.0625,
    (9, 0): 25,
    (10, 0): 50,
}

# One PCIe lane one way in GB/s, by generation, line coding taken off (PCI-SIG).
PCIE_LANE = {3: 0.985, 4: 1.969, 5: 3.938}
BY_SWITCHES = ("PIX", "PXB")
"""Paths through PCIe switches only, whose rate the lanes determine; others pass through the processor."""

WORST_FIRST = ("SYS", "NODE", "PHB", "PXB", "PIX")


def datasheet_peak(name: str, precision: Precision) -> float | None:
    """Return the dense peak of a GPU by name, in FLOP/s; None for an unknown one."""
    words = re.sub(r"\s+", " ", name)
    for part, peaks in PEAKS:
        if re.search(rf"\b{re.escape(part)}\b", words):
            peak = peaks.get(precision)
            return None if peak is None else peak * TERA
    return None


def link_kind(links: Iterable[Link], gpus: Sequence[int]) -> str | None:
    """Return the slowest connection between any two of the GPUs; None if one pair's is unknown."""
    kinds = {frozenset((link.a, link.b)): link.kind for link in links}
    found = [kinds.get(frozenset(pair)) for pair in combinations(gpus, 2)]
    known = [kind for kind in found if kind is not None]
    if not known or len(known) < len(found):
        return None
    for kind in WORST_FIRST:
        if kind in known:
            return kind
    return min(known, key=lambda kind: (nvlinks(kind) or 0, kind))


def link_bandwidth(kind: str | None, gpus: Iterable[Gpu]) -> float | None:
    """Return the one-way datasheet rate of the link between the GPUs, in B/s; None if unknown.

    It is that of their NVLinks, or of their lanes if only PCIe switches are between them.
    """
    rates = [_pcie(gpu) if kind in BY_SWITCHES else _nvlink(kind or "", gpu) for gpu in gpus]
    known = [rate for rate in rates if rate is not None]
    return min(known) * 1e9 if known and len(known) == len(rates) else None


def _nvlink(kind: str, gpu: Gpu) -> float | None:
    count, rate = nvlinks(kind), NVLINK.get(gpu.compute_capability or (0, 0))
    return count * rate if count and rate else None


def _pcie(gpu: Gpu) -> float | None:
    rate = PCIE_LANE.get(gpu.pcie_generation_max or 0)
    return rate * gpu.pcie_width_max if rate and gpu.pcie_width_max else None


def nvlinks(kind: str) -> int | None:
    """Return the number of NVLinks in a link's name."""
    found = re.fullmatch(r"NV(\d+)", kind)
    return int(found[1]) if found else None
