"""Steps of many ranks drawn from those measured: a synchronous step waits for the slowest of its ranks."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

DRAWS = 200
"""Steps that are drawn to estimate the mean of one."""
CERTAIN = 16
"""Draws for each measured step after which none is missing but once in millions of times."""
REACH = 8.0
"""Deviations from the mean beyond which a normal distribution is taken to end."""
PIECES = 1600
"""Pieces into which the integral of the expected largest value is divided."""

StepRow = tuple[float, ...]
"""One measured step of one rank: for each bucket the seconds from the end of the last all-reduce of the step
before until the bucket is ready."""


class StepPool(NamedTuple):
    """Measured steps by rank, as many of each."""

    ranks: tuple[tuple[StepRow, ...], ...]

    @classmethod
    def of(cls, rows: Mapping[int, Sequence[StepRow]]) -> StepPool | None:
        """Return the pool of each rank's steps; None where a rank has none."""
        fewest = min((len(steps) for steps in rows.values()), default=0)
        return cls(tuple(tuple(rows[rank][:fewest]) for rank in sorted(rows))) if fewest else None

    @property
    def steps(self) -> tuple[StepRow, ...]:
        """Steps of all ranks."""
        return tuple(step for rank in self.ranks for step in rank)

    def resampled(self, source: random.Random) -> StepPool:
        """Return a pool of the same size, its steps drawn with repetition, the same ones for every rank."""
        chosen = source.choices(range(len(self.ranks[0])), k=len(self.ranks[0]))
        return StepPool(tuple(tuple(rank[step] for step in chosen) for rank in self.ranks))

    def quiet(self) -> StepRow:
        """Return the typical step: the median of each bucket."""
        return tuple(map(statistics.median, zip(*self.steps, strict=True)))

    def slowest_of(self, devices: int, source: random.Random) -> StepRow:
        """Draw a step for each of so many devices, and return when the last has each bucket ready.

        All ranks have as many steps, so that each is as likely as any other: one that is always slow stays
        one.
        """
        steps = self.steps
        drawn = set(source.choices(steps, k=min(devices, CERTAIN * len(steps))))
        return tuple(map(max, zip(*drawn, strict=True)))

    def beyond(self, devices: int) -> float:
        """Return the seconds by which the slowest of so many devices exceeds what the pool can hold.

        More devices than steps cannot be slower than the slowest step; the rest is estimated as of normal
        noise, whose tail is thin: a lower bound.
        """
        whole = [row[-1] for row in self.steps]
        if devices <= len(whole) or len(whole) < 2:
            return 0.0
        return statistics.stdev(whole) * (expected_largest(devices) - expected_largest(len(whole)))


@cache
def expected_largest(count: int) -> float:
    """Return the mean of the largest of so many standard normal values: 0.56 for 2, 1.03 for 4, 3.25 for
    1024."""
    width = 2 * REACH / PIECES
    places = [-REACH + (piece + 0.5) * width for piece in range(PIECES)]
    below = [0.5 * (1 + math.erf(x / math.sqrt(2))) for x in places]
    density = [math.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in places]
    return width * sum(
        x * count * share ** (count - 1) * here for x, share, here in zip(places, below, density, strict=True)
    )
