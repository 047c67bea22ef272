"""The rank that the others wait for: live from step times, and as a diagnosis from the detail phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from ...record.session import RankState, RunState
from ...statistics import median
from ...text.units import duration, percent
from ..results.phases import Part
from .case import Case, Diagnosis, Figure, Subject

NAME = "straggler"
STRAGGLER_SHARE = 0.10
"""Difference between the slowest and the fastest rank's own work at which the slowest is a straggler, as a
share of a step."""
STRAGGLER_SHARE_SEVERE = 0.20
RECENT_STEPS = 200
"""Latest steps of a rank used for its live pace."""
PARTS = 20
"""Groups of these steps; the pace is the median of the groups' means."""
FEWEST_STEPS = 20
"""Steps before which a rank has no pace, as the first ones allocate memory and tune kernels."""


class Straggler(NamedTuple):
    """The slowest rank of a run."""

    rank: int
    fastest: int
    """The rank that waits longest."""
    share: float
    """Difference of the two ranks' own work, as a share of a step."""


def find_straggler(own: Mapping[int, float], step: float) -> Straggler | None:
    """Return the rank that the others wait for; None if all work at about the same pace.

    `own`: seconds of a step that each rank does not spend waiting. `step`: seconds of a whole step.
    """
    rank, fastest = max(own, key=own.__getitem__), min(own, key=own.__getitem__)
    share = (own[rank] - own[fastest]) / step
    return Straggler(rank, fastest, share) if share >= STRAGGLER_SHARE else None


class Paces(Struct, frozen=True):
    """The paces of the ranks of a run that share one training."""

    seconds: dict[int, float]
    """Step time of each rank, in s; less exposed communication once the detail phase has measured it."""
    straggler: int | None
    """Rank that the others wait for; None if all work at about the same pace."""
    behind: float
    """Excess of the slowest rank's step over the median of the others, as a share of that median."""


def paces(run: RunState) -> Paces | None:
    """Return the ranks' paces over their latest steps; None if they cannot be compared (yet)."""
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
    found = find_straggler(own, median(list(steps.values())))
    return Paces(
        seconds=own,
        straggler=found.rank if found else None,
        behind=own[slowest] / others - 1 if others else 0.0,
    )


def _step(rank: RankState) -> float:
    recent = rank.step_seconds.binned(rank.steps - RECENT_STEPS, rank.steps, PARTS)
    return median([bucket.mean for bucket in recent]) if recent else 0.0


def straggler(case: Case) -> Iterator[Diagnosis]:
    """Find runs in which the other ranks wait for one: the one with the least exposed communication."""
    for run in case.runs:
        found, step = run.result.communication, run.result.step_seconds
        if found is None or len(found.exposed) < max(2, run.spec.world_size) or not step:
            continue
        slowest = find_straggler({rank: step - wait for rank, wait in found.exposed.items()}, step)
        if slowest is not None:
            yield _straggler(run, slowest, found.exposed)


def _straggler(run: Subject, found: Straggler, exposed: Mapping[int, float]) -> Diagnosis:
    device = f" ({run.spec.devices[found.rank].name})" if found.rank < len(run.spec.devices) else ""
    ranks = (found.rank, found.fastest)
    return run.diagnosis(
        NAME,
        "severe" if found.share >= STRAGGLER_SHARE_SEVERE else "warning",
        f"the other ranks wait {percent(found.share)} of each step for rank {found.rank}{device}",
        [
            *((f"exposed on rank {rank}", f"{duration(exposed[rank])} per step") for rank in ranks),
            *_own_work(run, ranks),
        ],
        f"check what slows rank {found.rank}: its data, other processes on its device or cores, its clock",
    )


def _own_work(run: Subject, ranks: tuple[int, int]) -> Iterator[Figure]:
    parts: tuple[Part, ...] = ("input", "forward", "backward")
    for found in run.result.phases.ranks if run.result.phases else ():
        if found.rank in ranks:
            times = ", ".join(f"{part} {duration(found.seconds[part])}" for part in parts)
            yield f"rank {found.rank} per step", times
