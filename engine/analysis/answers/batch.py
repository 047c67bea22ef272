"""The answer to which batch is best: the fastest, and those no slower than it, as far as measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...statistics import spans_one
from ...text.units import rate, ratio
from ..results.result import Result
from .inquiry import Inquiry, Sentence
from .words import capitalised, listed


def best_batch(inquiry: Inquiry) -> Sentence | None:
    """Answer with the fastest batch of each workload.

    As in `Batch 512: 12,345 samples/s, 5.00x as fast as batch 32`.
    """
    groups = {name: found for name, found in _groups(inquiry) if len({_batch(inquiry, r) for r in found}) > 1}
    if not groups:
        return None
    several = len({each.workload for each in inquiry.results}) > 1
    clauses, about = [], []
    for workload, found in groups.items():
        best, text = _best(inquiry, found)
        clauses.append(f"batch {text}{f' for {workload}' if several else ''}")
        about.append(best)
    return Sentence(capitalised("; ".join(clauses)), tuple(about))


def _groups(inquiry: Inquiry) -> Iterator[tuple[str, list[Result]]]:
    """Yield the results of each workload in the mode that is measured at the most batches."""
    for workload in dict.fromkeys(each.workload for each in inquiry.results):
        by_mode: dict[tuple[str, int], list[Result]] = {}
        for each in inquiry.with_figures:
            if each.workload == workload and each.throughput is not None and each.mode != "concurrent":
                by_mode.setdefault((each.mode, each.devices), []).append(each)
        if by_mode:
            yield workload, max(by_mode.values(), key=len)


def _best(inquiry: Inquiry, found: Sequence[Result]) -> tuple[Result, str]:
    best = max(found, key=lambda each: each.throughput or 0.0)
    least = min(found, key=lambda each: _batch(inquiry, each))
    ratios = {each.run: inquiry.ratio(best, each) for each in found}
    alike = [
        str(_batch(inquiry, each))
        for each in found
        if each is best or ((one := ratios[each.run]) is not None and spans_one(one.interval))
    ]
    text = f"{listed(alike, 'or')}: {rate(best.throughput, best.unit)}"
    if len(alike) > 1:
        text = f"{listed(alike, 'or')}, with no measurable difference: {rate(best.throughput, best.unit)}"
    over = ratios[least.run]
    if over is not None and str(_batch(inquiry, least)) not in alike:
        text += f", {ratio(over.value)} as fast as batch {_batch(inquiry, least)}"
    too_large = [
        str(_batch(inquiry, each))
        for each in inquiry.results
        if each.failure is not None
        and each.failure.kind == "out of memory"
        and (each.workload, each.mode, each.devices) == (best.workload, best.mode, best.devices)
    ]
    if too_large:
        text += f" ({listed(too_large)} {'do' if len(too_large) > 1 else 'does'} not fit in memory)"
    return best, text


def _batch(inquiry: Inquiry, result: Result) -> int:
    return inquiry.spec(result).workload.batch
