"""Median, spread and confidence intervals, on the standard library alone."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from functools import lru_cache

CONFIDENCE = 0.95
RESAMPLES = 1000
MOST_RESAMPLED = 128


def median(values: Sequence[float]) -> float:
    """The middle value; ValueError when there is none."""
    if not values:
        raise ValueError("no values to take the median of")
    return statistics.median(values)


def mad(values: Sequence[float]) -> float:
    """1.4826 times the median absolute deviation: for normal values an estimate of the standard deviation."""
    middle = median(values)
    return 1.4826 * statistics.median([abs(value - middle) for value in values])


def t_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Confidence interval of the mean by Student's t; ValueError for fewer than two values."""
    if len(values) < 2:
        raise ValueError("an interval needs at least two values")
    mean = statistics.fmean(values)
    error = statistics.stdev(values, mean) / math.sqrt(len(values))
    half = t_quantile(confidence, len(values) - 1) * error
    return mean - half, mean + half


def relative_half_width(values: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """Half the interval of the mean as a share of the mean; infinite for fewer than two values or mean 0."""
    if len(values) < 2:
        return math.inf
    low, high = t_interval(values, confidence)
    middle = (low + high) / 2
    return (high - low) / 2 / abs(middle) if middle else math.inf


@lru_cache(maxsize=1024)
def t_quantile(confidence: float, freedom: int) -> float:
    """The t with P(|T| <= t) = confidence, to about 1e-9, for a whole number of degrees of freedom.

    Bisection of the exact finite sums in Abramowitz & Stegun 26.7.3 and 26.7.4; from 200 degrees of freedom
    on their expansion about the normal quantile, 26.7.5.
    """
    if freedom < 1 or not 0 < confidence < 1:
        raise ValueError("Student's t needs a degree of freedom and a confidence between 0 and 1")
    if freedom >= 200:
        return _t_from_normal(confidence, freedom)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        if _t_probability(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _t_probability(angle: float, freedom: int) -> float:
    """P(|T| <= t) with angle = atan(t / sqrt(freedom))."""
    cosine = math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0 if freedom == 1 else term
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    series = math.sin(angle) * total
    return 2 / math.pi * (angle + series) if odd else series


def _t_from_normal(confidence: float, freedom: int) -> float:
    x = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    n = freedom
    return (
        x
        + (x**3 + x) / (4 * n)
        + (5 * x**5 + 16 * x**3 + 3 * x) / (96 * n**2)
        + (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / (384 * n**3)
    )


@lru_cache(maxsize=256)
def ratio_interval(
    numerators: tuple[float, ...], denominators: tuple[float, ...], confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Percentile bootstrap interval of the ratio of two medians; the same values give the same interval.

    Both sides are resampled independently, and the ratio's logarithm is what is ranked. At most 128
    values of each side are used, evenly spread. ValueError for fewer than two values on a side.
    """
    if min(len(numerators), len(denominators)) < 2:
        raise ValueError("an interval needs at least two values on each side")
    above, below = _thinned(numerators), _thinned(denominators)
    source = random.Random(0)
    logs = sorted(
        math.log(median(source.choices(above, k=len(above))) / median(source.choices(below, k=len(below))))
        for _ in range(RESAMPLES)
    )
    tail = (1 - confidence) / 2
    return math.exp(logs[round(tail * (RESAMPLES - 1))]), math.exp(logs[round((1 - tail) * (RESAMPLES - 1))])


def _thinned(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(values) <= MOST_RESAMPLED:
        return values
    return tuple(values[len(values) * i // MOST_RESAMPLED] for i in range(MOST_RESAMPLED))
