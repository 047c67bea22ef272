"""The answer to which workload trains faster: alone, under each mode, and side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...statistics import Interval, spans_one
from ...text.units import ratio
from ..results.result import Result
from .inquiry import Inquiry, Sentence
from .words import MODE_NAMES, confidence, some_devices


class _Lead(NamedTuple):
    """The fastest of several workloads trained in one way."""

    how: str
    fastest: str
    second: str
    value: float
    within: Interval | None
    about: tuple[Result, ...]


def which_is_faster(inquiry: Inquiry) -> Sentence | None:
    """Answer with the fastest workload.

    As in `cnn trains 4.35x as fast as vit on one device, 3.90x with DDP on 2 devices`.
    """
    leads = [*_one_by_one(inquiry), *_side_by_side(inquiry)]
    if not leads:
        return None
    by_fastest: dict[str, list[_Lead]] = {}
    open_ones = [lead for lead in leads if spans_one(lead.within)]
    for lead in leads:
        if lead not in open_ones:
            by_fastest.setdefault(lead.fastest, []).append(lead)
    clauses = []
    for name, ahead in by_fastest.items():
        others = list(dict.fromkeys(lead.second for lead in ahead))
        first, *rest = (f"{ratio(lead.value)} as fast as {lead.second} {lead.how}" for lead in ahead)
        if len(others) == 1:
            rest = [f"{ratio(lead.value)} {lead.how}" for lead in ahead[1:]]
        clauses.append(f"{name} trains {', '.join([first, *rest])}")
    clauses += [
        f"no measurable difference between {lead.fastest} and {lead.second} {lead.how} "
        f"({confidence(lead.within)})"
        for lead in open_ones
    ]
    return Sentence("; ".join(clauses), tuple(result for lead in leads for result in lead.about))


def _one_by_one(inquiry: Inquiry) -> Iterator[_Lead]:
    ways: dict[tuple[str, int, int], list[Result]] = {}
    for each in inquiry.with_figures:
        if each.mode != "concurrent" and each.throughput is not None:
            # Workloads may have batches of their own: which one of several it is tells it, not its size.
            place = _alike(inquiry, each).index(each)
            ways.setdefault((each.mode, each.devices, place), []).append(each)
    for (mode, devices, _), found in ways.items():
        if len(found) > 1:
            first, second = sorted(found, key=lambda each: -(each.throughput or 0.0))[:2]
            over = inquiry.ratio(first, second)
            if over is not None:
                where = some_devices(devices, inquiry.on_gpus(first))
                how = f"on {where}" if mode == "single" else f"with {MODE_NAMES[mode]} on {where}"
                if len(_alike(inquiry, first)) > 1:
                    how += f" at batch {inquiry.spec(first).workload.batch}"
                yield _Lead(how, first.workload, second.workload, over.value, over.interval, (first, second))


def _alike(inquiry: Inquiry, result: Result) -> list[Result]:
    """Return the results of the same workload in the same mode on as many devices: one for each batch."""
    what = result.workload, result.mode, result.devices
    return [one for one in inquiry.results if (one.workload, one.mode, one.devices) == what]


def _side_by_side(inquiry: Inquiry) -> Iterator[_Lead]:
    for each in inquiry.with_figures:
        rates: dict[str, float] = {}
        for part in each.parts:
            if part.side_by_side.throughput is not None:
                rates[part.workload] = max(rates.get(part.workload, 0.0), part.side_by_side.throughput)
        if len(rates) > 1:
            (first, ours), (second, theirs) = sorted(rates.items(), key=lambda pair: -pair[1])[:2]
            how = f"side by side on {each.devices} devices"
            yield _Lead(how, first, second, ours / theirs, None, (each,))
