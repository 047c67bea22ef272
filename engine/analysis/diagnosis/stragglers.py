"""How long each rank takes for a step of its own, and which of them the others wait for."""

from __future__ import annotations

from msgspec import Struct

from ...record.session import RankState, RunState
from ...statistics import median
from .exchange import STRAGGLER_SHARE

RECENT_STEPS = 200
PARTS = 20
"""Of those steps: their means are what the median is taken of."""
FEWEST_STEPS = 20
"""Steps of a rank before which nothing is said: the first ones allocate and tune."""


class Paces(Struct, frozen=True):
    """The ranks of a run that work at the same."""

    seconds: dict[int, float]
    """A step of each rank; less the communication it waits for, once the detail phase has told."""
    straggler: int | None
    """The slowest rank, where the ranks differ by as much as the diagnosis calls straggling."""
    behind: float
    """How much longer the slowest rank takes than the median of the others, as a share of that."""


def paces(run: RunState) -> Paces | None:
    """The ranks' paces over their latest steps; None while, or where, they cannot be compared."""
    ranks = sorted(run.ranks.items())
    if run.spec.world_size < 2 or len(ranks) < run.spec.world_size or len(set(run.spec.workloads)) > 1:
        return None
    steps = {number: _step(rank) for number, rank in ranks}
    if any(rank.steps < FEWEST_STEPS for _, rank in ranks) or not all(steps.values()):
        return None
    waited = [0.0] * len(ranks)
    if all(rank.breakdown is not None and rank.breakdown.exposed for _, rank in ranks):
        waited = [median(rank.breakdown.exposed) for _, rank in ranks if rank.breakdown]
    own = {number: max(0.0, step - wait) for (number, step), wait in zip(steps.items(), waited, strict=True)}
    slowest = max(own, key=own.__getitem__)
    others = median([seconds for number, seconds in own.items() if number != slowest])
    apart = (own[slowest] - min(own.values())) / median(list(steps.values()))
    return Paces(
        seconds=own,
        straggler=slowest if apart >= STRAGGLER_SHARE else None,
        behind=own[slowest] / others - 1 if others else 0.0,
    )


def _step(rank: RankState) -> float:
    recent = rank.step_seconds.binned(rank.steps - RECENT_STEPS, rank.steps, PARTS)
    return median([bucket.mean for bucket in recent]) if recent else 0.0
