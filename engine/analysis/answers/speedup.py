"""Answers to whether more devices are worth it, and how far training scales."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...text.units import interval, ratio, whole_percent
from ..results.result import Result
from .inquiry import Inquiry, Sentence
from .series import Speedup, SpeedupSeries, series_of, trusted
from .words import (
    MODE_NAMES,
    YES_OR_NO,
    Verdict,
    capitalised,
    confidence,
    listed,
    slower,
    some_devices,
)

SPELT_OUT = 2
"""Figures of one verdict that are given at most; of more, the best and where the others stand."""


def is_it_worth_it(inquiry: Inquiry) -> Sentence | None:
    """Answer with yes or no, from the most devices: `Yes: 1.92x for 2 devices (96%)`.

    Where workloads or batches differ in their verdict, each has its own.
    """
    every = series_of(inquiry)
    if not every:
        return None
    best = {each.where: each.on_most_devices[0] for each in every}
    clauses = []
    for verdict in Verdict:
        there = {where: one for where, one in best.items() if one.verdict == verdict}
        if there:
            clauses.append(f"{YES_OR_NO[verdict]}: {_figures(inquiry, there, every)}")
    clauses += _other_modes(inquiry, [one for each in every for one in each.on_most_devices[1:]])
    return Sentence(capitalised("; ".join(clauses)), _about(best.values()))


def how_far(inquiry: Inquiry) -> Sentence | None:
    """Answer with the greatest speedup, where it stands, and the least of the other batches or workloads.

    As in `Up to 3.61x for 4 devices (90%) at batch 1024; least at batch 32: 1.14x for 4 devices (28%)`.
    """
    every = series_of(inquiry)
    if not every:
        return None
    best = {each.where: max(each.speedups, key=trusted) for each in every}
    where = max(best, key=lambda each: trusted(best[each]))
    far = best[where]
    figure = " ".join(filter(None, (_figure(inquiry, far), where)))
    clauses = [_LEADS[far.verdict] + figure]
    series = next(each for each in every if each.where == where)
    most = [one for one in series.on_most_devices if one.result.mode == far.result.mode]
    clauses += [f"no further on more: {_figure(inquiry, one)}" for one in most if one is not far]
    others = {each: one for each, one in best.items() if each != where}
    least = min(others, key=lambda each: others[each].value, default=None)
    about = [far]
    if least is not None and others[least].verdict != far.verdict:
        clauses.append(f"least {least}: {_figure(inquiry, others[least])}")
        about.append(others[least])
    modes = {one.result.mode for each in every for one in each.speedups}
    modes -= {each.result.mode for each in about}
    rest = [one for each in every for one in each.on_most_devices if one.result.mode in modes]
    return Sentence("; ".join([*clauses, *_other_modes(inquiry, rest)]), _about(about))


_LEADS = {
    Verdict.YES: "Up to ",
    Verdict.PROBABLY: "Probably up to ",
    Verdict.PARTLY: "Only in part, up to ",
    Verdict.BARELY: "Hardly at all: ",
    Verdict.UNKNOWN: "Not clear yet: ",
    Verdict.DOUBTED: "Unclear: ",
    Verdict.SAME: "Not at all: ",
    Verdict.SLOWER: "Not at all: ",
}


def _figures(inquiry: Inquiry, there: dict[str, Speedup], every: Sequence[SpeedupSeries]) -> str:
    """Return the figures of one verdict, the best first, each with what it is about."""
    ranked = sorted(there, key=lambda where: -there[where].value)
    several_modes = len({one.result.mode for each in every for one in each.speedups}) > 1
    spelt = ranked if len(ranked) <= SPELT_OUT else ranked[:1]
    texts = []
    for where in spelt:
        by = f"with {MODE_NAMES[there[where].result.mode]}" if several_modes else ""
        if there[where].verdict == Verdict.SLOWER:  # which names the mode itself
            by = ""
        texts.append(" ".join(filter(None, (_figure(inquiry, there[where]), by, where))))
    rest = [where for where in ranked if where not in spelt]
    if rest:
        texts.append(f"and {listed(rest)}")
    return ", ".join(texts)


def _figure(inquiry: Inquiry, speedup: Speedup) -> str:
    """Return a speedup in words that suit its verdict."""
    result, baseline, on_gpus = speedup.result, speedup.baseline, inquiry.on_gpus(speedup.result)
    against = _against(speedup, on_gpus)
    devices = f"for {some_devices(result.devices, on_gpus)}"
    within = result.speedup_interval
    match speedup.verdict:
        case Verdict.SLOWER:
            unit = some_devices(baseline.devices, on_gpus)
            how = f"{MODE_NAMES[result.mode]} on {some_devices(result.devices, on_gpus)}"
            return f"{how} is {slower(speedup.value, unit)}"
        case Verdict.SAME:
            return f"no measurable difference, {interval(within, ratio)} {devices}{against}"
        case Verdict.UNKNOWN:
            return f"{interval(within, ratio)} {devices}{against} with 95% confidence"
        case Verdict.PROBABLY:
            sure = confidence(within) or "too few windows for an interval"
            return f"{ratio(speedup.value)} {devices}{against} ({whole_percent(speedup.efficiency)}; {sure})"
    return f"{ratio(speedup.value)} {devices}{against} ({whole_percent(speedup.efficiency)})"


def _against(speedup: Speedup, on_gpus: bool) -> str:
    """Return the baseline where it is not the single device that one expects."""
    if speedup.baseline.devices > 1:
        return f" against {some_devices(speedup.baseline.devices, on_gpus)}"
    return "" if speedup.baseline.mode == "single" else " against one wrapped device"


def _other_modes(inquiry: Inquiry, speedups: Sequence[Speedup]) -> Iterator[str]:
    """Yield a clause on each mode that is not the best."""
    by_mode: dict[str, list[Speedup]] = {}
    for each in speedups:
        by_mode.setdefault(each.result.mode, []).append(each)
    for ones in by_mode.values():
        result, unit = ones[0].result, some_devices(ones[0].baseline.devices, inquiry.on_gpus(ones[0].result))
        name = MODE_NAMES[result.mode]
        if len(ones) == 1:
            words = {Verdict.SLOWER: f"is {slower(ones[0].value, unit)}", Verdict.DOUBTED: "is unclear"}
            yield f"{name} {words.get(ones[0].verdict, f'gives {_figure(inquiry, ones[0])}')}"
        else:
            values = sorted(one.value for one in ones)
            all_slower = all(one.verdict == Verdict.SLOWER for one in ones)
            said = f"is slower than {unit}:" if all_slower else "gives"
            yield f"{name} {said} {ratio(values[0])} to {ratio(values[-1])}"


def _about(speedups: Iterable[Speedup]) -> tuple[Result, ...]:
    results = [result for each in speedups for result in (each.result, each.baseline)]
    return tuple({result.run: result for result in results}.values())
