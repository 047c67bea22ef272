"""The attempts of a trial or a tune, as their runs show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from ...plan.remedy import Attempt, Cost, Remedy
from ...record.session import RunState, Session
from ...statistics import Estimate
from .gain import gain_of, paired_ratio

AttemptState = Literal["measuring", "kept", "refused", "failed", "not tried"]


class Tried(Struct, frozen=True, kw_only=True):
    """A remedy, and what became of it."""

    number: int | None
    """Number of the attempt; None for one that was not tried."""
    remedy: Remedy
    diagnosis: str
    """Name of the diagnosis to cure; empty for none."""
    state: AttemptState
    why: str = ""
    """Reason that it was refused, failed or was not tried; empty for others."""
    lacks: tuple[Cost, ...] = ()
    """Costs of one that was not tried because they are not allowed."""
    gain: Estimate | None = None
    """Throughput with it over that without, from pairs of runs; None before the first pair."""
    before: str = ""
    """Id of the configuration without it; empty if it was not tried."""
    changed: str = ""
    """Id of the configuration with it."""


class Pairs(Struct, frozen=True):
    """The runs of one attempt, in pairs."""

    attempt: Attempt
    before: tuple[RunState, ...]
    """Runs without the changes, in order."""
    changed: tuple[RunState, ...]
    """Runs with them."""

    @property
    def ratios(self) -> list[float]:
        """Ratio of each pair that was measured, in order."""
        others = {run.spec.repeat: run for run in self.before}
        found = (
            paired_ratio(others[run.spec.repeat], run)
            for run in self.changed
            if run.state == "measured"
            and run.spec.repeat in others
            and others[run.spec.repeat].state == "measured"
        )
        return [ratio for ratio in found if ratio is not None]

    @property
    def gain(self) -> Estimate | None:
        """Gain so far."""
        return gain_of(self.ratios)

    @property
    def number_planned(self) -> int:
        """Number of pairs that the plan has."""
        return max((run.spec.repeat for run in (*self.before, *self.changed)), default=0)

    @property
    def trouble(self) -> RunState | None:
        """First of its runs that failed or was skipped, those with the changes first; None if none did."""
        runs = (*self.changed, *self.before)
        return next((run for run in runs if run.state in ("failed", "skipped")), None)

    @property
    def broken_from(self) -> int | None:
        """First step with a loss that was not finite with the changes; None if there was one without, too."""
        with_them, without = (
            [rank.broken_from for run in runs for rank in run.ranks.values() if rank.broken_from is not None]
            for runs in (self.changed, self.before)
        )
        return min(with_them) if with_them and not without else None

    @property
    def waits(self) -> bool:
        """Whether one of its runs waits or is being measured."""
        return any(run.state in ("waiting", "running") for run in (*self.before, *self.changed))


def attempts_of(session: Session) -> dict[int, list[RunState]]:
    """Return the runs of each attempt, by its number, in order.

    Of a damaged record, runs that do not fit the first of their attempt are left out, and those without a
    remedy that would need one.
    """
    found: dict[int, list[RunState]] = {}
    for run in session.runs.values():
        attempt = run.spec.attempt
        if attempt is None or (attempt.purpose in ("remedy", "confirmation") and attempt.remedy is None):
            continue
        runs = found.setdefault(attempt.number, [])
        first = runs[0].spec.attempt if runs else attempt
        if first is not None and first.purpose == attempt.purpose:
            runs.append(run)
    return dict(sorted(found.items()))


def pairs_of(runs: Sequence[RunState]) -> Pairs:
    """Return the runs of an attempt in pairs."""
    attempts = [run.spec.attempt for run in runs if run.spec.attempt is not None]
    return Pairs(
        next((each for each in attempts if each.changed), attempts[0]),
        _those(runs, changed=False),
        _those(runs, changed=True),
    )


def _those(runs: Iterable[RunState], *, changed: bool) -> tuple[RunState, ...]:
    return tuple(run for run in runs if run.spec.attempt is not None and run.spec.attempt.changed == changed)


def trouble_in_words(run: RunState) -> str:
    """Return why a run has no figures, as in `out of memory: CUDA ran out of memory at batch 128`."""
    if run.failure is None or run.failure.kind in ("raised", "launch", "no data"):
        return run.reason or run.state
    if run.failure.kind in run.failure.message:
        return run.failure.message
    return f"{run.failure.kind}: {run.failure.message}"


def configuration_of(runs: Sequence[RunState]) -> str:
    """Return the id of the configuration that runs repeat; empty without a run."""
    return (runs[0].spec.configuration or runs[0].spec.id) if runs else ""
