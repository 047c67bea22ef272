"""Median, spread and confidence intervals, on the standard library alone.

Windows follow each other, so that a slow one is likely to follow a slow one: their autocorrelation widens
every interval here. In simulations the 95% intervals of 5 to 100 values hold the truth in 93 to 99 of 100
cases, for independent values and for an AR(1) of coefficient 0.5, and in 92 to 98 where windows are added
until the interval is narrow enough. Of an AR(1) of 0.7 five values cannot show that it is one: there it is 87
in 100 for five, 92 for ten and 95 for thirty, and 86 to 91 where windows are added. The best of other
functions of five values' spread and autocorrelation came to 90, and was 15% wider for independent ones.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

FEWEST = 5
"""Values that an interval needs: of fewer nothing is known with some certainty."""
RESAMPLES = 1000
TAIL = 40
"""One in so many resamples lies beyond either end of an interval: 95% within."""
MOST_CORRELATED = 0.95
"""An autocorrelation beyond it is taken for it."""

SUPPOSED_CORRELATION = 0.6
"""What is supposed of the autocorrelation before anything is known of it."""
SUPPOSED_VALUES = 5
"""How many values would have to contradict it to count as much: chosen by simulation, so that independent
values' intervals are wider by 13% at most, of five or ten values, and by 3% of sixty."""

Values = tuple[tuple[float, ...], ...]

NORMAL = 1.959964
"""97.5% quantile of the normal distribution."""
STUDENT = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281),
    *(2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860),
)
"""97.5% quantiles of Student's t from 1 degree of freedom on (NIST/SEMATECH e-Handbook, 1.3.6.7.2)."""


def median(values: Sequence[float]) -> float:
    """The middle value; ValueError when there is none."""
    if not values:
        raise ValueError("no values to take the median of")
    return statistics.median(values)


def mad(values: Sequence[float]) -> float:
    """1.4826 times the median absolute deviation: for normal values an estimate of the standard deviation."""
    middle = median(values)
    return 1.4826 * statistics.median([abs(value - middle) for value in values])


def inflation(values: Sequence[float]) -> float:
    """How many of these values, in their order, say as much as one independent value: at least 1.

    (1 + r) / (1 - r) for an AR(1) of coefficient r (Bayley & Hammersley 1946). r is the first autocorrelation
    of the values' ranks, which one outlier does not move, freed of its bias, (1 + 3r) / n (Kendall 1954;
    Marriott & Pope 1954), and shrunk to what is supposed where few values say little of it. The effective
    number of values is never taken to be below two.
    """
    count = len(values)
    ranks = _ranks(values)
    mean = (count - 1) / 2
    scatter = sum((rank - mean) ** 2 for rank in ranks)
    if count < 2 or not scatter:
        return 1.0
    first = sum((a - mean) * (b - mean) for a, b in pairwise(ranks)) / scatter
    unbiased = first + (1 + 3 * first) / count
    shrunk = (count * unbiased + SUPPOSED_VALUES * SUPPOSED_CORRELATION) / (count + SUPPOSED_VALUES)
    correlation = min(MOST_CORRELATED, max(0.0, shrunk))
    return min((1 + correlation) / (1 - correlation), max(1.0, count / 2))


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """95% interval of the median, whatever the values' distribution; ValueError for fewer than five.

    Order statistics t/2 * sqrt(n * inflation) ranks from the middle one on either side (Woodruff 1952, with
    the effective number of values), interpolated between neighbours; t is Student's, for few values. Where
    that lies beyond the least or greatest value, their distance from the median is stretched in proportion.
    """
    count = len(values)
    if count < FEWEST:
        raise ValueError(f"an interval needs at least {FEWEST} values")
    ranked = sorted(values)
    middle = statistics.median(ranked)
    furthest = (count - 1) / 2
    distance = student(count - 1) / 2 * math.sqrt(count * inflation(values))
    stretch = max(1.0, distance / furthest)
    low = _at(ranked, furthest - min(distance, furthest))
    high = _at(ranked, furthest + min(distance, furthest))
    return middle - stretch * (middle - low), middle + stretch * (high - middle)


def relative_half_width(values: Sequence[float]) -> float:
    """Half the interval of the median as a share of the median; infinite for fewer than five values or 0."""
    middle = median(values) if len(values) >= FEWEST else 0.0
    if not middle:
        return math.inf
    low, high = median_interval(values)
    return (high - low) / 2 / abs(middle)


def ratio_interval(numerators: tuple[float, ...], denominators: tuple[float, ...]) -> tuple[float, float]:
    """95% bootstrap interval of the ratio of two medians; the same values give the same interval.

    Both sides are resampled independently, and the logarithm of the ratio is what is ranked. Each side's
    deviations are expanded for its autocorrelation, and by t over the normal quantile for few values, as
    Hesterberg's expanded percentile interval is (The American Statistician 69, 2015). ValueError for fewer
    than five values on a side.
    """
    if min(len(numerators), len(denominators)) < FEWEST:
        raise ValueError(f"an interval needs at least {FEWEST} values on each side")
    source = random.Random(0)
    above, below = _log_deviations(numerators, source), _log_deviations(denominators, source)
    deviations = sorted(a - b for a, b in zip(above, below, strict=True))
    outside = RESAMPLES // TAIL
    value = median(numerators) / median(denominators)
    return value * math.exp(deviations[outside]), value * math.exp(deviations[-1 - outside])


def gain_interval(alone: Values, beside: Values) -> tuple[float, float]:
    """95% bootstrap interval of the sum of times alone over the longest time side by side.

    Both are given as rates, the values of each training, resampled as in `ratio_interval`; equal values alone
    are those of one run. ValueError for fewer than five values of one.
    """
    if min(map(len, (*alone, *beside))) < FEWEST:
        raise ValueError(f"an interval needs at least {FEWEST} values of each training")
    source = random.Random(0)
    drawn = {values: _resampled_rates(values, source) for values in dict.fromkeys(alone)}
    apart = zip(*(drawn[values] for values in alone), strict=True)
    together = zip(*(_resampled_rates(values, source) for values in beside), strict=True)
    gains = sorted(
        sum(1 / rate for rate in a) / max(1 / rate for rate in b)
        for a, b in zip(apart, together, strict=True)
    )
    return gains[RESAMPLES // TAIL], gains[-1 - RESAMPLES // TAIL]


def geometric_mean(values: Sequence[float]) -> float:
    """Geometric mean of positive values."""
    return math.exp(statistics.fmean(map(math.log, values)))


def repeats_interval(values: Sequence[float]) -> tuple[float, float]:
    """95% interval of the geometric mean of a figure's repeats; ValueError for fewer than two.

    By Student's t of their logarithms: a bootstrap of so few values would be far too narrow.
    """
    if len(values) < 2:
        raise ValueError("an interval needs at least two repeats")
    logs = [math.log(value) for value in values]
    half = student(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    centre = statistics.fmean(logs)
    return math.exp(centre - half), math.exp(centre + half)


def repeats_ratio_interval(numerators: Sequence[float], denominators: Sequence[float]) -> tuple[float, float]:
    """95% interval of the ratio of two geometric means of repeats, which may be of unequal number.

    By Student's t of their logarithms, their variance pooled, so that a single repeat on one side borrows the
    scatter of the other's. ValueError for fewer than three in all or none on a side.
    """
    above, below = ([math.log(value) for value in values] for values in (numerators, denominators))
    freedom = len(above) + len(below) - 2
    if freedom < 1 or not above or not below:
        raise ValueError("an interval needs at least two repeats on one side and one on the other")
    squares = sum((value - statistics.fmean(logs)) ** 2 for logs in (above, below) for value in logs)
    half = student(freedom) * math.sqrt(squares / freedom * (1 / len(above) + 1 / len(below)))
    centre = statistics.fmean(above) - statistics.fmean(below)
    return math.exp(centre - half), math.exp(centre + half)


def student(freedom: int) -> float:
    """97.5% quantile of Student's t; beyond the table to 1e-4 by Abramowitz & Stegun 26.7.5."""
    if freedom <= len(STUDENT):
        return STUDENT[freedom - 1]
    x, n = NORMAL, freedom
    return (
        x
        + (x**3 + x) / (4 * n)
        + (5 * x**5 + 16 * x**3 + 3 * x) / (96 * n**2)
        + (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / (384 * n**3)
    )


def _ranks(values: Sequence[float]) -> list[float]:
    """The place of each value among all of them, from 0; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            ranks[place] = (start + end - 1) / 2
        start = end
    return ranks


def _at(ranked: list[float], place: float) -> float:
    """The value at that place, from 0, interpolated between two neighbours."""
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])


def _log_deviations(values: tuple[float, ...], source: random.Random) -> list[float]:
    """How far the logarithms of resampled medians lie from that of the median, expanded."""
    ranked = sorted(values)
    expansion = math.sqrt(inflation(values)) * student(len(values) - 1) / NORMAL
    centre = math.log(statistics.median(ranked))
    return [expansion * (math.log(_resampled_median(ranked, source)) - centre) for _ in range(RESAMPLES)]


def _resampled_rates(values: tuple[float, ...], source: random.Random) -> list[float]:
    """Medians of resampled values, their deviations expanded."""
    middle = statistics.median(values)
    return [middle * math.exp(deviation) for deviation in _log_deviations(values, source)]


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


Interval = tuple[float, float]


class Estimate(Struct, frozen=True):
    """A value, its 95% interval, and from how many values it comes."""

    value: float
    interval: Interval | None
    """None of fewer than five values."""
    n: int

    def contains(self, value: float) -> bool:
        """Whether that value is within the interval; False where there is none."""
        return self.interval is not None and self.interval[0] <= value <= self.interval[1]
