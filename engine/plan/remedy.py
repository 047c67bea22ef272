"""Remedies: changes of settings that may cure what a diagnosis has found, and the attempts at them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from ..host.facts import Int64

Cost = Literal["numerics", "recipe", "memory"]
"""`numerics`: the model is trained with other numbers; `recipe`: it learns in another way; `memory`: it takes
more memory on the devices."""

ALLOWED_BY_DEFAULT: tuple[Cost, ...] = ("memory",)
"""Costs that a tune's remedies may have unless it is told otherwise: those that change nothing learnt."""

DOING: dict[Cost, tuple[str, str]] = {
    "numerics": ("changes the numerics", "change the numerics"),
    "recipe": ("changes the recipe", "change the recipe"),
    "memory": ("takes more memory", "take more memory"),
}
"""Verb of one remedy with each cost, and of several."""


def costs_in_words(costs: Iterable[Cost], several: bool = False) -> str:
    """Return what a remedy of these costs does, or several: `changes the numerics and takes more memory`."""
    return " and ".join(DOING[cost][several] for cost in costs)


class Remedy(Struct, frozen=True, kw_only=True):
    """Changes to a run's settings that the program can make by itself."""

    name: str
    """Name in a few words, as in `bf16 gradients`."""
    changes: dict[str, Any]
    """New values by their keys in the workload; `mode` is that of the run."""
    costs: tuple[Cost, ...] = ()
    """Costs of the remedy besides time; none if nothing but the speed changes."""
    ceiling: float | None = None
    """Largest ratio of throughputs that the evidence allows; None where it sets no bound."""


class Attempt(Struct, frozen=True, kw_only=True):
    """The part of a trial or of a tune that a run belongs to."""

    number: Int64
    """Number of the attempt, from 0."""
    purpose: Literal["start", "remedy", "batch", "confirmation"]
    """`start`: the settings as they were are measured; `batch`: a larger batch is looked for;
    `confirmation`: all that was kept is measured anew against the start."""
    changed: bool = False
    """Whether the run has the changes; else it is one that they are held against."""
    diagnosis: str = ""
    """Name of the diagnosis to cure; empty for none."""
    remedy: Remedy | None = None
    """The changes on trial."""


class Trial(Struct, frozen=True, kw_only=True):
    """Origin of a session that tries a remedy on a run of another session."""

    session: str
    """Name of the session with the diagnosis."""
    run: str
    """Id of the run there."""


class Tune(Struct, frozen=True, kw_only=True):
    """Bounds of a session that tries one remedy after the other, and keeps those that help."""

    allow: tuple[Cost, ...] = ()
    """Costs that a remedy may have."""
    minutes: float | None = None
    """Time for all of it, its confirmation included: nothing is tried that this leaves no time for. None for
    no limit."""
