"""Rules on whether the links between GPUs and to the host reach their rated speed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from ...host.facts import Gpu
from ...record.history import GpuHistory
from ...record.series import Span, during, highest, mean
from ...text.units import percent
from ..results.communication import Communication
from .case import Case, Diagnosis, Figure, Subject
from .exchange import FEWER_BYTES, SYNC_SHARE, less_exposed
from .machine import LOADED
from .remedies import offered

SLOW_BUS = 0.5
"""Share of the link's datasheet rate that large messages exceed by far on a healthy link."""
LARGE = 64_000_000
"""Smallest message that characterises a link, in bytes: 16 MiB reach barely a third of NVLink's."""
ADVICE = (
    "see that NCCL uses the links (NCCL_DEBUG=INFO names them) and that peer access is not disabled "
    "(NCCL_P2P_DISABLE, the IOMMU, a virtual machine)"
)
BRIDGED_ADVICE = (
    "this may be all that NCCL reaches over NVLink bridges between PCIe cards, as 116 of 300 GB/s are on "
    f"H100 PCIe; if others get more, {ADVICE}"
)
BRIDGED = re.compile(r"PCIe|\bNVL\b", re.IGNORECASE)
"""In the name of a GPU: a PCIe card, whose NVLinks are bridges to its neighbour."""
THROUGH_HOST = ("SYS", "NODE", "PHB")
"""Links, as `nvidia-smi topo` names them, that pass through the processor."""


def slow_link(case: Case) -> Iterator[Diagnosis]:
    """Find collectives that reach less than half the link's rate, or that pay for an indirect link."""
    for run in case.runs:
        communication = run.result.communication
        if communication is None:
            continue
        best, rated = _best_of_large(communication), communication.link_bandwidth
        if best is not None and rated and best < SLOW_BUS * rated:
            yield run.diagnosis(
                "slow link",
                "warning",
                f"collectives reach {percent(best / rated)} of the rate of the {communication.link} link",
                (
                    ("best busbw measured", _bandwidth(best)),
                    (f"datasheet rate of {communication.link}, one way", _bandwidth(rated)),
                ),
                BRIDGED_ADVICE if _is_bridged(case, run) else ADVICE,
            )
        elif communication.link in THROUGH_HOST and _costs(communication):
            yield _through_host(case, run, communication)


def _through_host(case: Case, run: Subject, communication: Communication) -> Diagnosis:
    best = _best(communication)
    reached = [] if best is None else [("best busbw measured", _bandwidth(best))]
    return run.diagnosis(
        "slow link",
        "warning",
        f"its GPUs communicate through the host ({communication.link}), which costs "
        f"{percent(communication.sync_share)} of a step",
        [
            ("link between its GPUs", str(communication.link)),
            ("synchronising gradients", f"{percent(communication.sync_share)} of a step"),
            *reached,
        ],
        "choose GPUs with a better link by --gpus (doctor lists the links), or send less: a larger batch, "
        f"{FEWER_BYTES}",
        offered(case, run, less_exposed(run, communication.sync_share)),
    )


def no_peer_access(case: Case) -> Iterator[Diagnosis]:
    """Find GPUs that train one model without direct access to each other's memory."""
    known = {(link.a, link.b): link for link in case.session.host.links}
    for run in case.trained:
        pairs = [
            known[pair] for pair in combinations(sorted(set(run.configuration.gpus)), 2) if pair in known
        ]
        apart = [link for link in pairs if link.peer_access is False]
        if not apart:
            continue
        communication = run.result.communication
        cost = communication.sync_share if communication is not None and _costs(communication) else None
        price = "" if cost is None else f", and synchronising gradients costs {percent(cost)} of a step"
        yield run.diagnosis(
            "slow link",
            "info" if cost is None else "warning",
            f"{len(apart)} of {len(pairs)} pairs of its GPUs have no peer access: what they exchange goes "
            f"through the host's memory{price}",
            [(f"GPU {link.a} - GPU {link.b} ({link.kind})", "no peer access") for link in apart],
            "see `nvidia-smi topo -p2p r` for why: the model of GPU, the IOMMU, a virtual machine; or choose "
            "GPUs that have it by --gpus (doctor lists them)",
        )


def slow_pcie(case: Case) -> Iterator[Diagnosis]:
    """Find GPUs whose PCIe link runs below its maximum generation or width under load."""
    for run in case.runs:
        for gpu in case.session.host.gpus:
            if gpu.index not in run.configuration.gpus or gpu.index not in case.session.gpus:
                continue
            figures = list(
                _below_maximum(gpu, case.session.gpus[gpu.index], run.configuration.measured_spans)
            )
            if figures:
                yield run.diagnosis(
                    "slow link",
                    "warning" if _exchanges_over_pcie(run) else "info",
                    f"the PCIe link of GPU {gpu.index} is slower under load than GPU and machine allow",
                    figures,
                    "see `nvidia-smi -q -d PCIE`: the slot's lanes, a riser, the BIOS's setting of the slot, "
                    "a GPU not seated well",
                )


def _below_maximum(gpu: Gpu, history: GpuHistory, spans: Sequence[Span]) -> Iterator[Figure]:
    """Yield the PCIe generation and width that stayed below their maxima within the spans."""
    busy = mean(during(history.utilization, spans))
    # A GPU with little to do lowers the generation by itself, never the width.
    generation = highest(history.pcie_generation, spans) if busy is not None and busy >= LOADED else None
    if generation is not None and gpu.pcie_generation_max and generation < gpu.pcie_generation_max:
        value = f"{generation:.0f} of at most {gpu.pcie_generation_max}"
        yield f"PCIe generation of GPU {gpu.index}, highest under load", value
    width = highest(history.pcie_width, spans)
    if width is not None and gpu.pcie_width_max and width < gpu.pcie_width_max:
        yield f"PCIe lanes of GPU {gpu.index}, most while measured", f"{width:.0f} of {gpu.pcie_width_max}"


def _exchanges_over_pcie(run: Subject) -> bool:
    """Return whether gradients travel over PCIe, rather than NVLink or not at all."""
    communication = run.result.communication
    return (
        communication is not None
        and communication.link is not None
        and not communication.link.startswith("NV")
    )


def _best(communication: Communication) -> float | None:
    """Return the greatest busbw that any collective reached with nothing else to do."""
    return max((curve.best_busbw for curve in communication.curves.values()), default=None)


def _best_of_large(communication: Communication) -> float | None:
    """Return the same of large messages; None where none was tried, for want of memory or of time."""
    points = (point for curve in communication.curves.values() for point in curve.points)
    return max((point.busbw for point in points if point.bytes >= LARGE), default=None)


def _is_bridged(case: Case, run: Subject) -> bool:
    """Return whether the run's GPUs are PCIe cards joined by NVLink bridges."""
    names = [gpu.name for gpu in case.session.host.gpus if gpu.index in run.configuration.gpus]
    return any(BRIDGED.search(name) for name in names)


def _costs(communication: Communication) -> bool:
    """Return whether synchronisation takes a relevant share of a step, beyond the noise."""
    return (communication.sync_share or 0.0) > SYNC_SHARE and not communication.below_noise


def _bandwidth(value: float) -> str:
    return f"{value / 1e9:,.1f} GB/s"
