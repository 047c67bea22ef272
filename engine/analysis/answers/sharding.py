"""The answer to what sharding costs in speed against copies on each device, and what memory it saves."""

from __future__ import annotations

from ...statistics import spans_one
from ...text.units import gib, gib_number, percent, ratio
from ..results.result import Result
from .inquiry import Inquiry, Sentence
from .words import confidence, some_devices


def cost_and_saving(inquiry: Inquiry) -> Sentence | None:
    """Answer with FSDP's speed and memory against DDP's on the most devices that both have.

    As in `FSDP costs 12.0% of DDP's speed on 2 devices and saves 41.0% of its memory (1.20 against 2.03 GiB a
    device)`; with several workloads for each of them.
    """
    said = [(pair, text) for pair in _pairs(inquiry) if (text := _clause(inquiry, *pair)) is not None]
    if not said:
        return None
    several = len({each.workload for each in inquiry.results}) > 1
    clauses = [f"{pair[0].workload}: {text}" if several else text for pair, text in said]
    return Sentence("; ".join(clauses), tuple(each for pair, _ in said for each in pair))


def _clause(inquiry: Inquiry, fsdp: Result, ddp: Result) -> str | None:
    over = inquiry.ratio(fsdp, ddp)
    if over is None:
        return None
    devices = some_devices(fsdp.devices, inquiry.on_gpus(fsdp))
    if spans_one(over.interval):
        text = f"FSDP costs no measurable speed on {devices} ({confidence(over.interval)} of DDP)"
    elif over.value < 1:
        text = f"FSDP costs {percent(1 - over.value)} of DDP's speed on {devices}"
    else:
        text = f"FSDP costs no speed: it is {ratio(over.value)} as fast as DDP on {devices}"
    return text + _memory(fsdp, ddp)


def _pairs(inquiry: Inquiry) -> list[tuple[Result, Result]]:
    """Return FSDP and DDP of each workload, at its largest batch on the most devices."""
    best: dict[str, tuple[Result, Result]] = {}
    for fsdp in inquiry.with_figures:
        for ddp in inquiry.with_figures:
            if (
                (fsdp.mode, ddp.mode) == ("fsdp", "ddp")
                and (fsdp.devices, fsdp.workload, fsdp.global_batch)
                == (ddp.devices, ddp.workload, ddp.global_batch)
                and fsdp.devices > 1
            ):
                before = best.setdefault(fsdp.workload, (fsdp, ddp))
                if (fsdp.devices, fsdp.global_batch) > (before[0].devices, before[0].global_batch):
                    best[fsdp.workload] = (fsdp, ddp)
    return list(best.values())


def _memory(fsdp: Result, ddp: Result) -> str:
    ours, theirs = fsdp.peak_memory_bytes, ddp.peak_memory_bytes
    if ours is None or not theirs:
        return ""
    of = f"{gib_number(ours)} against {gib(theirs)} a device"
    if ours < theirs:
        return f" and saves {percent(1 - ours / theirs)} of its memory ({of})"
    return f" and saves no memory ({of})"
