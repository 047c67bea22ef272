"""Median, spread and confidence intervals, on the standard library alone."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from functools import lru_cache

FEWEST = 5
"""Values that an interval needs: of fewer nothing is known with some certainty."""
TAIL = 40
"""One in so many lies beyond either end of an interval: 95% within."""
RESAMPLES = 1000


def median(values: Sequence[float]) -> float:
    """The middle value; ValueError when there is none."""
    if not values:
        raise ValueError("no values to take the median of")
    return statistics.median(values)


def mad(values: Sequence[float]) -> float:
    """1.4826 times the median absolute deviation: for normal values an estimate of the standard deviation."""
    middle = median(values)
    return 1.4826 * statistics.median([abs(value - middle) for value in values])


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """95% interval of the median, whatever the values' distribution; ValueError for fewer than five.

    The narrowest pair of order statistics, equally far from both ends, between which the median lies in 95 of
    100 cases by the binomial distribution (David & Nagaraja, Order Statistics, 7.1). Five values are the
    exception: their least and greatest have it between them in 93.75.
    """
    count = len(values)
    if count < FEWEST:
        raise ValueError(f"an interval needs at least {FEWEST} values")
    ranked = sorted(values)
    left_out = max(0, _left_out(count))
    return ranked[left_out], ranked[count - 1 - left_out]


@lru_cache(maxsize=4096)
def _left_out(count: int) -> int:
    """How many values at either end the interval of a median does without; -1 where all are too few."""
    left_out, ways, below = -1, 1, 1
    while TAIL * below <= 2**count:
        left_out += 1
        ways = ways * (count - left_out) // (left_out + 1)
        below += ways
    return left_out


def relative_half_width(values: Sequence[float]) -> float:
    """Half the interval of the median as a share of the median; infinite for fewer than five values or 0."""
    middle = median(values) if len(values) >= FEWEST else 0.0
    if not middle:
        return math.inf
    low, high = median_interval(values)
    return (high - low) / 2 / abs(middle)


@lru_cache(maxsize=256)
def ratio_interval(numerators: tuple[float, ...], denominators: tuple[float, ...]) -> tuple[float, float]:
    """95% percentile bootstrap interval of the ratio of two medians; the same values give the same interval.

    Both sides are resampled independently, and the ratio's logarithm is what is ranked. ValueError for fewer
    than five values on a side.
    """
    if min(len(numerators), len(denominators)) < FEWEST:
        raise ValueError(f"an interval needs at least {FEWEST} values on each side")
    above, below = sorted(numerators), sorted(denominators)
    source = random.Random(0)
    logs = sorted(
        math.log(_resampled_median(above, source) / _resampled_median(below, source))
        for _ in range(RESAMPLES)
    )
    outside = RESAMPLES // TAIL
    return math.exp(logs[outside]), math.exp(logs[-1 - outside])


def _resampled_median(ranked: list[float], source: random.Random) -> float:
    """The median of as many values drawn with replacement, without drawing them all.

    A draw is `ranked[int(n * u)]` with u uniform. Of n such u the middle one is beta distributed; for an even
    n the lower of the two middle ones is, and the upper is the least of the n/2 uniform ones above it.
    """
    count = len(ranked)
    half = count // 2
    lower = source.betavariate((count + 1) // 2, half + 1)
    if count % 2:
        return ranked[int(count * lower)]
    upper = 1 - (1 - lower) * source.random() ** (1 / half)
    return (ranked[int(count * lower)] + ranked[min(count - 1, int(count * upper))]) / 2
