"""The answer to how much of a step is communication, and what bandwidth it reaches."""

from __future__ import annotations

from ...text.units import number, percent
from ..results.result import Result
from .inquiry import Inquiry, Sentence
from .words import capitalised, some_devices


def share_of_communication(inquiry: Inquiry) -> Sentence | None:
    """Answer with the greatest and the least share on the most devices, and the bandwidth there.

    As in `34.0% of a step at batch 32 on 4 devices, 1.2% at batch 512; all-reduce reaches 41.0 GB/s of 52.0
    GB/s by itself`.
    """
    shares = {each.run: share for each in inquiry.with_figures if (share := _share(each)) is not None}
    found = [each for each in inquiry.with_figures if each.run in shares]
    if not found:
        return None
    most = max(each.devices for each in found)
    there = sorted((each for each in found if each.devices == most), key=lambda each: -shares[each.run])
    first, last = there[0], there[-1]
    devices = some_devices(most, inquiry.on_gpus(first))
    text = f"{percent(shares[first.run])} of a step{_where(inquiry, first, there)} on {devices}"
    if last is not first:
        text += f", {percent(shares[last.run])}{_where(inquiry, last, there)}"
    return Sentence(capitalised(text + _bandwidth(first)), (first,) if last is first else (first, last))


def _share(result: Result) -> float | None:
    """Return the exposed share of a step, or else what synchronisation adds to it."""
    communication = result.communication
    if communication is None or result.devices < 2:
        return None
    if communication.exposed_share is not None:
        return communication.exposed_share
    return communication.sync_share if communication.sync_share is not None else communication.exchange_share


def _bandwidth(result: Result) -> str:
    """Return a clause on the bandwidth of a result's collectives, in training and alone; empty if unknown."""
    communication = result.communication
    if communication is None:
        return ""
    curve = communication.curves.get("all_reduce")
    alone = f"{number(curve.best_busbw / 1e9)} GB/s" if curve is not None else ""
    if communication.busbw is None:
        return f"; all-reduce by itself reaches {alone}" if alone else ""
    within = f"; all-reduce reaches {number(communication.busbw / 1e9)} GB/s"
    return f"{within} of {alone} by itself" if alone else within


def _where(inquiry: Inquiry, result: Result, among: list[Result]) -> str:
    several_workloads = len({each.workload for each in among}) > 1
    several_batches = len({each.batch_per_device for each in among}) > 1
    with_workload = f" of {result.workload}" if several_workloads else ""
    return with_workload + (f" at batch {inquiry.spec(result).workload.batch}" if several_batches else "")
