"""The session in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from ..text.units import interval, percent, rate, ratio
from .diagnosis.case import Diagnosis
from .diagnosis.exchange import NAME as EXPOSED_COMMUNICATION
from .diagnosis.input import NAME as INPUT_BOUND
from .diagnosis.stragglers import NAME as STRAGGLER
from .results.result import Result

MOSTLY_IDLE = 1 / 3
"""Idle share of a GPU above which a figure says more about the host than about the GPU."""

HOLDS_BACK = frozenset({INPUT_BOUND, EXPOSED_COMMUNICATION, STRAGGLER})
"""Names of diagnoses that explain a figure; every other severe one means that the figure is wrong."""

WRAPPED = "one wrapped device"
"""Name of a run of one device in a mode for several."""


def headline(found: Sequence[Result], diagnoses: Sequence[Diagnosis]) -> str:
    """Return the best speedup on the most devices in one sentence, or else the gain or throughput.

    `diagnoses` are those of each run: a severe one of the runs in the sentence follows it. If everything that
    could be measured has failed, the sentence says so; it is empty before there is anything to say.
    """
    compared = [result for result in found if result.speedup is not None and result.baseline != result.run]
    if compared:
        best = max(compared, key=lambda result: (result.devices, result.speedup or 0.0))
        baseline = next(result for result in found if result.run == best.baseline)
        return _speedup_sentence(best, baseline, found) + _remarks(diagnoses, best, baseline)
    gains = [result for result in found if result.concurrency_gain is not None]
    if gains:
        best = max(gains, key=lambda result: (result.devices, result.concurrency_gain or 0.0))
        return (
            f"{best.workload} side by side on {best.devices} devices: concurrency gain "
            f"{ratio(best.concurrency_gain)} over one after the other{_limit(best)}"
            f"{_remarks(diagnoses, best)}"
        )
    measured = [result for result in found if result.throughput is not None and result.state == "measured"]
    if not measured:
        return _nothing_measured(found)
    best = max(measured, key=lambda result: (result.devices, result.throughput or 0.0))
    return f"{_label(best)} trains {rate(best.throughput)}{_limit(best)}{_remarks(diagnoses, best)}"


def doubt(diagnoses: Sequence[Diagnosis], *results: Result) -> str:
    """Return a clause that names what discredits these results, as `; not credible: drift`; or nothing."""
    names = [name for name in _severe(diagnoses, results) if name not in HOLDS_BACK]
    return f"; not credible: {', '.join(names)}" if names else ""


def _remarks(diagnoses: Sequence[Diagnosis], *results: Result) -> str:
    """Return clauses that name the severe diagnoses of these results; empty if there are none."""
    names = [name for name in _severe(diagnoses, results) if name in HOLDS_BACK]
    return doubt(diagnoses, *results) + (f"; severe: {', '.join(names)}" if names else "")


def _severe(diagnoses: Sequence[Diagnosis], results: Sequence[Result]) -> list[str]:
    runs = {result.run for result in results}
    found = [each for each in diagnoses if each.severity == "severe" and runs.intersection(each.runs)]
    return list(dict.fromkeys(each.name for each in found))


def _nothing_measured(found: Sequence[Result]) -> str:
    """Return why nothing was measured, if something failed and no run is left; else an empty text."""
    states = [result.state for result in found]
    if "failed" not in states or {"waiting", "running"} & set(states) or any(each.windows for each in found):
        return ""
    kinds = dict.fromkeys(result.failure.kind for result in found if result.failure is not None)
    why = f" ({', '.join(kinds)})" if kinds else ""
    failed = states.count("failed")
    if failed == len(found):
        return f"Nothing was measured: {'its run' if failed == 1 else f'all {failed} runs'} failed{why}"
    counts = [f"{states.count(state)} {state}" for state in ("skipped", "stopped") if state in states]
    return f"Nothing was measured: of {len(found)} runs {', '.join([f'{failed} failed{why}', *counts])}"


def _speedup_sentence(best: Result, baseline: Result, found: Sequence[Result]) -> str:
    several = len({result.workload for result in found if result.mode != "concurrent"}) > 1
    with_batch = best.global_batch != baseline.global_batch and best.scaling is None
    sentence = "" if not several else f"{best.workload}: "
    within = best.speedup_interval
    if within is not None and within[0] <= 1 <= within[1]:
        return sentence + (
            f"{_name(best, with_batch)} and {_name(baseline, with_batch)} cannot be told apart: "
            f"speedup {interval(within, ratio)} with 95% confidence{_limit(best, baseline)}"
        )
    sentence += f"{_name(best, with_batch)} is {ratio(best.speedup)} {_name(baseline, with_batch)}"
    if best.efficiency is not None and best.devices != baseline.devices:
        sentence += f" (efficiency {percent(best.efficiency)})"
    return sentence + _limit(best, baseline)


def _limit(*results: Result) -> str:
    """Return a clause on a GPU that was mostly idle, which limits what a figure means; else nothing."""
    found = [(each.compute.idle, each) for each in results if each.compute and each.compute.idle is not None]
    idle, worst = max(found, key=lambda each: each[0], default=(0.0, None))
    if worst is None or idle < MOSTLY_IDLE:
        return ""
    whose = "the GPU" if worst.devices == 1 else "a GPU"
    where = f" of {_name(worst, with_batch=False)}" if len(results) > 1 else ""
    return f", limited by the host: {whose}{where} was idle for {percent(idle)} of the time"


def _name(result: Result, with_batch: bool) -> str:
    if result.devices > 1:
        name = f"{result.mode} on {result.devices} devices"
    else:
        name = "single" if result.mode == "single" else WRAPPED
    return f"{name} at batch {result.global_batch}" if with_batch else name


def _label(result: Result) -> str:
    """Return a result's label, in which a run of one device does not go by the name of a mode for several."""
    if result.devices > 1 or result.mode == "single":
        return result.label
    return WRAPPED + result.label.removeprefix(f"{result.mode} x1")
