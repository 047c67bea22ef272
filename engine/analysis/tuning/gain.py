"""The gain of a change: one ratio of throughputs for each pair of runs taken in turns, and their mean."""

from __future__ import annotations

from collections.abc import Sequence

from ... import statistics
from ...record.session import RunState
from ...statistics import Estimate
from ..results.throughput import run_summary


def paired_ratio(before: RunState, changed: RunState) -> float | None:
    """Return the throughput of the changed run over that of the other; None where either has none."""
    ours, theirs = run_summary(changed).throughput, run_summary(before).throughput
    return ours / theirs if ours and theirs else None


def gain_of(ratios: Sequence[float]) -> Estimate | None:
    """Return the geometric mean of the pairs' ratios with its 95% interval; None without a pair.

    The interval is Student's t of the logarithms, one value a pair, so that whatever slows both runs of a
    pair alike does not widen it. A single pair has none.
    """
    if not ratios:
        return None
    interval = statistics.repeats_interval(ratios) if len(ratios) > 1 else None
    return Estimate(statistics.geometric_mean(ratios), interval, len(ratios))


def lies_above_one(gain: Estimate | None) -> bool:
    """Return whether the 95% interval of a gain lies above 1."""
    return gain is not None and gain.interval is not None and gain.interval[0] > 1
