"""Overlap: whether gradients travel while the backward pass computes, and what lets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...plan.remedy import Remedy
from .case import Subject
from .remedies import if_gone

LITTLE_OVERLAP = 0.20
"""Share of the communication that is hidden, below which next to nothing is. DDP's overlap is what makes it
fast: with it a step of ResNet-50 is 38% faster, one of BERT 35% (Li et al., VLDB 2020, on 32 GPUs)."""
FEW_BUCKETS = 2
"""Buckets with which next to nothing can be hidden: the last one leaves when the backward pass is over."""
WANTED_BUCKETS = 6
"""Buckets of about equal size of which five can be hidden."""
MIB = 1 << 20


def hides_little(run: Subject) -> bool:
    """Return whether a run of DDP hides next to none of its communication behind the backward pass."""
    found = run.result.communication
    return (
        run.spec.mode == "ddp"
        and found is not None
        and found.overlap is not None
        and found.overlap < LITTLE_OVERLAP
    )


def overlapping(run: Subject, least: float | None) -> Iterator[Remedy]:
    """Yield what lets gradients leave sooner, or spares copying them.

    `least`: share of a step that is exposed on the rank that waits least.
    """
    found, phases = run.result.communication, run.result.phases
    if found is not None and len(found.buckets) <= FEW_BUCKETS and found.bytes_per_step:
        size = max(1, round(found.bytes_per_step / WANTED_BUCKETS / MIB))
        if size < run.spec.workload.bucket_mb:
            yield Remedy(name="smaller buckets", changes={"bucket_mb": size}, ceiling=if_gone(least))
    static: dict[str, Any] = {"static_graph": True, "find_unused_parameters": False}
    yield Remedy(name="static graph", changes=static, ceiling=if_gone(least))
    copying = max((rank.shares["copying"] for rank in phases.ranks), default=0.0) if phases else None
    changes = {"gradient_as_bucket_view": True}
    yield Remedy(name="gradients in buckets", changes=changes, ceiling=if_gone(copying))
