"""Noise of a machine's runs, a factor about 1 for each: of the kinds that benchmarks meet."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

LEVEL = 0.02
"""Deviation of a run's throughput."""


def white(source: random.Random) -> Iterator[float]:
    while True:
        yield math.exp(source.gauss(0, LEVEL))


def correlated(source: random.Random, coefficient: float = 0.5) -> Iterator[float]:
    """An AR(1) process: a slow run tends to follow a slow one."""
    value = source.gauss(0, 1)
    while True:
        yield math.exp(LEVEL * value)
        value = coefficient * value + math.sqrt(1 - coefficient**2) * source.gauss(0, 1)


def strongly_correlated(source: random.Random) -> Iterator[float]:
    return correlated(source, 0.7)


def with_outliers(source: random.Random) -> Iterator[float]:
    """One run in twenty is a fifth slower."""
    for factor in white(source):
        yield factor * (0.8 if source.random() < 0.05 else 1.0)


def skewed(source: random.Random) -> Iterator[float]:
    """Slow runs are further from the middle than fast ones."""
    deviation = math.sqrt((math.e - 1) * math.e)
    while True:
        yield 1 / (1 + LEVEL / deviation * (math.exp(source.gauss(0, 1)) - 1))


def drifting(source: random.Random) -> Iterator[float]:
    """A machine that warms up: each run is a little slower than the one before."""
    for number, factor in enumerate(white(source)):
        yield factor * (0.85 + 0.15 * 0.97**number)


KINDS = {
    "white": white,
    "correlated": correlated,
    "strongly correlated": strongly_correlated,
    "outliers": with_outliers,
    "skewed": skewed,
    "drift": drifting,
}
