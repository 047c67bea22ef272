"""The best figure of a session: for presets without a kind of answer, and questions not answered yet."""

from __future__ import annotations

from ...plan.preset.vary import settings_text
from ...statistics import spans_one
from ...text.units import percent, rate, ratio
from ..results.result import Result
from .inquiry import Inquiry, Sentence
from .words import confidence

WRAPPED = "one wrapped device"
"""Name of a run of one device in a mode for several."""


def best_figure(inquiry: Inquiry) -> Sentence | None:
    """Return the best speedup on the most devices, or else the gain or throughput; None without any."""
    found = inquiry.results
    compared = [each for each in found if each.speedup is not None and each.baseline != each.run]
    if compared:
        best = max(compared, key=lambda result: (result.devices, result.speedup or 0.0))
        baseline = next(result for result in found if result.run == best.baseline)
        several = len({result.workload for result in found if result.mode != "concurrent"}) > 1
        lead = f"{best.workload}: " if several else ""
        return Sentence(lead + _speedup(best, baseline), (best, baseline))
    gains = [result for result in found if result.concurrency_gain is not None]
    if gains:
        best = max(gains, key=lambda result: (result.devices, result.concurrency_gain or 0.0))
        gain = f"concurrency gain {ratio(best.concurrency_gain)} over one after the other"
        return Sentence(f"{best.workload} side by side on {best.devices} devices: {gain}", (best,))
    return fastest_run(inquiry)


def fastest_run(inquiry: Inquiry) -> Sentence | None:
    """Return the throughput of the fastest run on the most devices; None without any."""
    measured = [each for each in inquiry.with_figures if each.throughput is not None]
    if not measured:
        return None
    best = max(measured, key=lambda result: (result.devices, result.throughput or 0.0))
    early = f" (stopped early, after {best.windows} windows)" if best.state == "stopped" else ""
    return Sentence(f"{honest_label(best)} trains {rate(best.throughput, best.unit)}{early}", (best,))


def _speedup(best: Result, baseline: Result) -> str:
    with_batch = best.global_batch != baseline.global_batch and best.scaling is None
    ours, theirs = name_of(best, with_batch), name_of(baseline, with_batch)
    if spans_one(within := best.speedup_interval):
        how = "faster" if best.devices > baseline.devices else "faster or slower"
        return f"{ours} is not measurably {how} than {theirs} ({confidence(within)})"
    sentence = f"{ours} is {ratio(best.speedup)} as fast as {theirs}"
    if best.efficiency is not None and best.devices != baseline.devices:
        sentence += f" (efficiency {percent(best.efficiency)})"
    return sentence


def name_of(result: Result, with_batch: bool = False) -> str:
    """Return mode and devices of a result in words, in which one device does not go by a mode for several."""
    if result.devices > 1:
        name = f"{result.mode} on {result.devices} devices"
    else:
        name = "single" if result.mode == "single" else WRAPPED
    name += f" ({settings_text(result.varied)})" if result.varied else ""
    return f"{name} at batch {result.global_batch}" if with_batch else name


def honest_label(result: Result) -> str:
    """Return a result's label, in which one device does not go by the name of a mode for several."""
    if result.devices > 1 or result.mode == "single":
        return result.label
    return WRAPPED + result.label.removeprefix(f"{result.mode} x1")
