"""Where the steps of a run went, from what its ranks measured in the detail phase."""

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

Part = Literal["input", "transfer", "forward", "backward", "exposed", "copying", "optimizer", "unaccounted"]

TIMED: tuple[Part, ...] = ("input", "transfer", "forward", "backward", "exposed", "copying", "optimizer")
"""The parts that are measured, in the order of a step."""
PARTS: tuple[Part, ...] = (*TIMED, "unaccounted")
"""The parts of a step; the last is what the others leave of it."""

WORDS: dict[Part, str] = {
    "input": "input wait",
    "transfer": "transfer to the device",
    "exposed": "exposed communication",
    "copying": "copying gradients back",
}
"""Where a part's own name says too little."""

MUCH_UNACCOUNTED = 0.05
MUCH_APART = 0.10
"""A step of the detail phase that much longer or shorter than in the windows is remarked on."""


class RankPhases(Struct, frozen=True, kw_only=True):
    """Where one rank's steps went."""

    rank: int
    workload: str
    steps: int
    step_seconds: float
    """Mean over the steps of the detail phase."""
    seconds: dict[Part, float]
    """Mean seconds of each part; they add up to the step, as means do and medians do not: where a loader is
    late only for every fourth step, the median wait is zero."""
    shares: dict[Part, float]
    """Of the step; they add up to 1. Unaccounted is below 0 where timed parts overlap."""
    medians: dict[Part, float]
    """Median seconds of each part by itself, which a single odd step does not move."""


class Phases(Struct, frozen=True, kw_only=True):
    """Where a run's steps went; measured after its windows."""

    steps: int
    """Steps of each rank."""
    step_seconds: float
    """Mean over ranks."""
    window_step_seconds: float | None
    """A step in the measured windows, which nothing disturbed."""
    seconds: dict[Part, float]
    """Mean over ranks."""
    shares: dict[Part, float]
    slowest: int
    """The rank whose own work (input, transfer, forward, backward and optimizer) takes longest."""
    ranks: tuple[RankPhases, ...]
    notes: tuple[str, ...]

    @property
    def imbalance(self) -> float:
        """How much more work of its own the slowest rank has than the fastest, a share of the step."""
        work = [own_work(rank) for rank in self.ranks]
        return (max(work) - min(work)) / self.step_seconds

    @property
    def difference(self) -> float | None:
        """How much longer a step was in the detail phase than in the windows, a share of 1."""
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
    """Return the parts of a step to show: gradients are copied back only in ddp with several ranks."""
    copies = any(phases.seconds["copying"] for phases in found)
    return tuple(part for part in PARTS if copies or part != "copying")


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
        workload=workload.name or workload.model,
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
    """Seconds of a step but those of waiting for other ranks, as long on each as its slowest needs."""
    return sum(rank.seconds[part] for part in TIMED if part != "exposed")


def _hidden(run: RunState) -> Iterator[str]:
    """Which communication is not told apart from the part that holds it."""
    spec = run.spec
    if spec.mode in ("dp", "fsdp") and spec.device_count > 1:
        yield f"{spec.mode} communicates within forward and backward, which hold that time"


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
