"""The decision on a change after each pair of runs: keep it, refuse it, or go on measuring.

One-sided t tests of the logarithms of the pairs' ratios against 1, at a few looks. A tune may keep a change
that does nothing in `ERROR` of cases at most, over all of its looks and remedies: each look at each remedy
has its own share of that chance, and shares add up (Bonferroni; the idea of spending the chance over looks is
that of Lan & DeMets, Biometrika 70, 1983). Adding up is stricter than needed, because the looks at one
remedy are correlated, and holds whatever that correlation is. So few pairs have unknown scatter, hence exact
quantiles of Student's t at every look (the significance level approach of Jennison & Turnbull, Group
Sequential Methods, 2000, section 4.4).

Refusing early only lowers the chance of keeping what does nothing. A change is refused when its gain is
clearly below what is worth it, or when the last look is beyond reach even with some luck (stochastic
curtailment: Lan, Simon & Halperin 1982).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import cache
from typing import Literal

from ...statistics import student_quantile

Decision = Literal["keep", "refuse", "go on"]

LOOKS = {4: 0.1, 6: 0.15, 8: 0.2, 12: 0.25, 16: 0.3}
"""Numbers of pairs after which a change may be kept, each with its share of the remedy's chance of error.
They are even, so that either run of a pair was first equally often and drift cancels."""
MOST_PAIRS = max(LOOKS)
FEWEST_PAIRS = min(LOOKS)
ERROR = 0.025
"""Greatest chance that a tune without anything to gain keeps a change: that of a 95% interval above 1."""
EQUAL_SHARES = 9
"""Number of remedies that get a tenth of that chance each; the last tenth is halved for each further one."""
WORTH = 1.01
"""Least gain that is worth a change."""
SURELY_LESS = 0.05
"""Chance of error of a one-sided bound on the gain."""
LUCK = 1.0
"""Standard errors by which the estimate may still rise until the last look."""


def share(remedy: int) -> float:
    """Return the part of a tune's chance of error that its n-th remedy has, from 1; all parts add up to 1."""
    return 0.1 if remedy <= EQUAL_SHARES else 0.1 / 2.0 ** (remedy - EQUAL_SHARES)


def decide(ratios: Sequence[float], remedy: int) -> Decision:
    """Decide on a tune's n-th remedy, from 1, by the ratios of its pairs so far, in their order.

    The first decision stands, whatever was measured after it.
    """
    for count in range(2, min(len(ratios), MOST_PAIRS) + 1, 2):
        decision = _decision([math.log(ratio) for ratio in ratios[:count]], remedy)
        if decision != "go on":
            return decision
    return "go on" if len(ratios) < MOST_PAIRS else "refuse"


def _decision(logs: Sequence[float], remedy: int) -> Decision:
    """Decide after an even number of pairs."""
    count, mean = len(logs), statistics.fmean(logs)
    error = math.sqrt(sum((value - mean) ** 2 for value in logs) / (count - 1) / count)
    if count in LOOKS and mean > 0 and mean > bound(count, remedy) * error:
        return "keep"
    if mean + _quantile(count, SURELY_LESS) * error < math.log(WORTH):
        return "refuse"
    reach = bound(MOST_PAIRS, remedy) * error * math.sqrt(count / MOST_PAIRS)
    return "refuse" if count >= FEWEST_PAIRS and mean + LUCK * error < reach else "go on"


def bound(count: int, remedy: int) -> float:
    """Return the number of standard errors above 0 at which the mean logarithm of so many pairs is kept."""
    return _quantile(count, ERROR * share(remedy) * LOOKS[count])


@cache
def _quantile(count: int, beyond: float) -> float:
    return student_quantile(count - 1, beyond)
