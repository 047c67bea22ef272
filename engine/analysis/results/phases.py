"""Step time by part, from what the ranks measured in the detail phase."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Literal

from msgspec import Struct

from ...record.events import Breakdown
from ...record.session import RunState
from ...statistics import median
from ...text.units import percent
from .configuration import Configuration

Part = (
    Literal["input", "transfer", "forward", "backward"]
    | Literal["dividing", "exposed", "copying", "optimizer", "unaccounted"]
)

TIMED: tuple[Part, ...] = (
    *("input", "transfer", "forward", "backward", "dividing", "exposed", "copying", "optimizer"),
)
"""Measured parts, in the order of a step."""
PARTS: tuple[Part, ...] = (*TIMED, "unaccounted")
"""All parts of a step; the last is the remainder."""

WORDS: dict[Part, str] = {
    "input": "input wait",
    "transfer": "transfer to the device",
    "dividing": "dividing gradients",
    "exposed": "exposed communication",
    "copying": "copying gradients back",
}
"""Names of the parts written out."""

OF_DDP: tuple[Part, ...] = ("dividing", "copying")
"""Parts that only DDP with several ranks has."""

MUCH_UNACCOUNTED = 0.05
MUCH_APART = 0.10
"""Difference between a step of the detail phase and one of the windows above which a remark says so."""


class RankPhases(Struct, frozen=True, kw_only=True):
    """Step time of one rank by part."""

    rank: int
    workload: str
    steps: int
    step_seconds: float
    """Mean step time in the detail phase."""
    seconds: dict[Part, float]
    """Mean time of each part. Means add up to the step, medians do not: if a loader is late only for every
    fourth step, the median wait is zero."""
    shares: dict[Part, float]
    """Shares of the step, which add up to 1. Unaccounted is negative if timed parts overlap."""
    medians: dict[Part, float]
    """Median time of each part by itself, robust to single odd steps."""


class Phases(Struct, frozen=True, kw_only=True):
    """Step time of a run by part, measured after its windows."""

    steps: int
    """Steps of each rank."""
    step_seconds: float
    """Mean step time over ranks."""
    window_step_seconds: float | None
    """Step time in the measured windows, undisturbed."""
    seconds: dict[Part, float]
    """Mean time of each part over ranks."""
    shares: dict[Part, float]
    slowest: int
    """Rank whose own work (input, transfer, forward, backward and optimizer) takes longest."""
    ranks: tuple[RankPhases, ...]
    notes: tuple[str, ...]

    @property
    def imbalance(self) -> float:
        """Difference between the own work of the slowest and the fastest rank, as a share of the step."""
        work = [own_work(rank) for rank in self.ranks]
        return (max(work) - min(work)) / self.step_seconds

    @property
    def difference(self) -> float | None:
        """Excess of a step in the detail phase over one in the windows, as a share of 1."""
        return None if not self.window_step_seconds else self.step_seconds / self.window_step_seconds - 1


def phases(configuration: Configuration, window_step: float | None) -> Phases | None:
    """Return where the steps of a configuration went, over all repeats; None where no rank measured it.

    `window_step`: a step in the measured windows, s.
    """
    runs = configuration.usable
    numbers = sorted({number for run in runs for number, rank in run.ranks.items() if rank.breakdown})
    ranks = [found for number in numbers if (found := _rank_phases(runs, number)) is not None]
    if not ranks:
        return None
    step = fmean(rank.step_seconds for rank in ranks)
    seconds: dict[Part, float] = {part: fmean(rank.seconds[part] for rank in ranks) for part in PARTS}
    return Phases(
        steps=ranks[0].steps,
        step_seconds=step,
        window_step_seconds=window_step,
        seconds=seconds,
        shares={part: seconds[part] / step for part in PARTS},
        slowest=max(ranks, key=own_work).rank,
        ranks=tuple(ranks),
        notes=(
            *_hidden(runs[0]),
            *_notes(seconds["unaccounted"] / step, step, window_step),
        ),
    )


def parts_in(found: Iterable[Phases]) -> tuple[Part, ...]:
    """Return the parts of a step to show: only ddp with several ranks divides gradients and copies them."""
    measured = list(found)
    absent = {part for part in OF_DDP if not any(phases.seconds[part] for phases in measured)}
    return tuple(part for part in PARTS if part not in absent)


def _rank_phases(runs: Sequence[RunState], number: int) -> RankPhases | None:
    found = [run.ranks[number].breakdown for run in runs if number in run.ranks]
    steps = [step for breakdown in found if breakdown is not None for step in _steps(breakdown)]
    total = fmean(step["step"] for step in steps) if steps else 0.0
    if total <= 0:
        return None
    seconds: dict[Part, float] = {part: fmean(step[part] for step in steps) for part in TIMED}
    seconds["unaccounted"] = total - sum(seconds.values())
    medians: dict[Part, float] = {part: median([step[part] for step in steps]) for part in TIMED}
    medians["unaccounted"] = median([step["step"] - sum(step[part] for part in TIMED) for step in steps])
    workload = runs[0].spec.workload_of(number)
    return RankPhases(
        rank=number,
        workload=workload.title,
        steps=len(steps),
        step_seconds=total,
        seconds=seconds,
        shares={part: seconds[part] / total for part in PARTS},
        medians=medians,
    )


def _steps(breakdown: Breakdown) -> list[Mapping[str, float]]:
    names = ("step", *TIMED)
    nothing = [0.0] * len(breakdown.step)
    columns = [getattr(breakdown, name) or nothing for name in names]
    # As many as every list has: a journal that was written by another version may lack some.
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=False)]


def own_work(rank: RankPhases) -> float:
    """Return the seconds of a step that a rank does not spend waiting for others."""
    return sum(rank.seconds[part] for part in TIMED if part != "exposed")


def _hidden(run: RunState) -> Iterator[str]:
    """Yield remarks on communication that is counted within another part."""
    spec = run.spec
    if spec.mode in ("dp", "fsdp") and spec.device_count > 1:
        yield f"{spec.mode} communicates within forward and backward, which include that time"
    sent = spec.workload.compress_gradients
    if spec.mode == "ddp" and spec.device_count > 1 and sent != "none":
        yield f"dividing gradients includes casting them to {sent}, copying them back includes casting back"


def _notes(unaccounted: float, step: float, window_step: float | None) -> Iterator[str]:
    if abs(unaccounted) > MUCH_UNACCOUNTED:
        yield (
            f"{percent(unaccounted)} of a step is unaccounted for"
            if unaccounted > 0
            else f"the parts of a step overlap by {percent(-unaccounted)} of it"
        )
    if window_step and abs(step / window_step - 1) > MUCH_APART:
        longer = step / window_step - 1
        word = "longer" if longer > 0 else "shorter"
        yield (
            f"a step was {percent(abs(longer))} {word} in the detail phase than in the windows, so that its "
            "parts are less certain"
        )
