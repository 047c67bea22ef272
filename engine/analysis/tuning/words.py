"""A tune in words: gains with their intervals, and what became of them."""

from __future__ import annotations

from collections import Counter

from ...plan.remedy import costs_in_words
from ...statistics import Estimate, spans_one
from ...text.units import count, interval, ratio
from .tuning import Tuning

WIDEST = 10.0
"""Ratio of an interval's ends above which its figures say no more than that it is too wide."""


def estimate_in_words(gain: Estimate | None) -> str:
    """Return a gain with its interval, as in `1.21x (95%: 1.18x to 1.24x)`; `not measured` without one."""
    if gain is None:
        return "not measured"
    within = interval_in_words(gain)
    return ratio(gain.value) + (f" (95%: {within})" if within else "")


def interval_in_words(gain: Estimate | None) -> str:
    """Return the interval of a gain; `too wide yet` where that says little, nothing without one."""
    if gain is None or gain.interval is None:
        return ""
    low, high = gain.interval
    return "too wide yet" if high > WIDEST * low else interval(gain.interval, ratio)


def gain_in_words(gain: Estimate) -> str:
    """Return a gain, and where its interval leaves open whether it is one that it does."""
    if spans_one(gain.interval):
        return f"no clear gain, {estimate_in_words(gain)}"
    return f"{'slower, ' if gain.value < 1 else ''}{estimate_in_words(gain)}"


def left_out_in_words(tuning: Tuning) -> str:
    """Return how many remedies were not tried for their costs, and what would allow them; empty for none.

    As in `3 remedies were left out: 2 change the recipe (--allow recipe), 1 takes more memory (--allow
    memory)`.
    """
    lacking = Counter(each.lacks for each in tuning.tried if each.lacks)
    if not lacking:
        return ""
    parts = []
    for lacks, number in lacking.items():
        doing = costs_in_words(lacks, several=number > 1)
        parts.append((number, f"{doing} (--allow {','.join((*tuning.allowed, *lacks))})"))
    total = lacking.total()
    said = f"{total} {'remedy was' if total == 1 else 'remedies were'} left out"
    if len(parts) == 1:
        return f"{said}, which {parts[0][1]}"
    return f"{said}: {', '.join(f'{number} {doing}' for number, doing in parts)}"


def total_in_words(tuning: Tuning) -> str:
    """Return what a tune brought, without the full stop."""
    tried, kept = len(tuning.attempts), len(tuning.kept_attempts)
    if not kept:
        of = f": none of {count(tried, 'change')} helped" if tried else ""
        return f"Nothing was kept{of}"
    by = f"by {kept} of {count(tried, 'change')}"
    if tuning.total is None or tuning.total.interval is None:
        return f"{kept} of {count(tried, 'change')} kept, not measured anew together against the start"
    if tuning.confirmed is False:
        anew = estimate_in_words(tuning.total)
        return f"{kept} of {count(tried, 'change')} kept, but not confirmed: {anew} measured anew"
    so_far = "" if tuning.confirmed else " so far"
    return f"{estimate_in_words(tuning.total)}{so_far} {by}, measured anew against the start"
