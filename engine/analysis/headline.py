"""The session in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from ..text.units import interval, percent, rate, ratio
from .results.result import Result

MOSTLY_IDLE = 1 / 3
"""Idle share of a GPU above which a figure says more about the host than about the GPU."""


def headline(found: Sequence[Result]) -> str:
    """Return the best speedup in one sentence, or else the best gain or throughput; empty before any.

    If everything that could be measured has failed, the sentence says so.
    """
    compared = [result for result in found if result.speedup is not None and result.baseline != result.run]
    if compared:
        best = max(compared, key=lambda result: result.speedup or 0.0)
        return _speedup_sentence(best, next(result for result in found if result.run == best.baseline), found)
    gains = [result for result in found if result.concurrency_gain is not None]
    if gains:
        best = max(gains, key=lambda result: result.concurrency_gain or 0.0)
        return (
            f"{best.workload} side by side on {best.devices} devices: concurrency gain "
            f"{ratio(best.concurrency_gain)} over one after the other{_limit(best)}"
        )
    measured = [result for result in found if result.throughput is not None and result.state == "measured"]
    if not measured:
        return _nothing_measured(found)
    best = max(measured, key=lambda result: result.throughput or 0.0)
    return f"{best.label} trains {rate(best.throughput)}{_limit(best)}"


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
    name = result.mode if result.devices == 1 else f"{result.mode} on {result.devices} devices"
    return f"{name} at batch {result.global_batch}" if with_batch else name
