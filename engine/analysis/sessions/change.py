"""Change of a configuration from one session to another, with its interval, and what differs besides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from msgspec import Struct

from ... import statistics
from ...record.session import Session
from ...statistics import Estimate, Interval
from ...text.units import common_unit
from ..diagnosis.case import Severity
from ..diagnosis.machine import BUSY, SHARED
from ..results.comparable import SCHEDULE, Setting, setting_differences, workload_differences
from ..results.configuration import Configuration
from .figures import Key, Rates, rates, typical_rate
from .noise import History, Noise

Verdict = Literal["better", "worse", "no difference", "too few windows", "no figures"]

PLACES = {BUSY: "a busy machine", SHARED: "a shared GPU"}
"""Places at which a regression cannot be told from the others' use of the machine, by their diagnosis."""


class Doubt(Struct, frozen=True):
    """A warning or severe diagnosis of a run."""

    name: str
    severity: Severity
    sentence: str
    """Finding, which begins with the run's label unless it is about several."""


class Side(NamedTuple):
    """A configuration in one of two sessions, with what its diagnoses cast doubt on."""

    session: Session
    configuration: Configuration
    doubts: tuple[Doubt, ...]

    @property
    def recorded(self) -> tuple[Session, Configuration]:
        """Session and configuration."""
        return self.session, self.configuration


class Change(Struct, frozen=True, kw_only=True):
    """A configuration that both sessions have, or one of its concurrent trainings."""

    label: str
    mode: str
    devices: int
    workload: str
    batch_per_device: int
    run_a: str
    """Id of the first repeat."""
    run_b: str
    rank: int | None
    """Rank of one of several concurrent trainings."""
    unit: str
    """Unit of the throughputs, in the plural."""
    a: float | None
    """Throughput, geometric mean of the repeats' medians."""
    b: float | None
    ratio: float | None
    """b / a."""
    interval: Interval | None
    """95% interval of the ratio: by bootstrap over windows, or by Student's t over repeats; widened by the
    noise between sessions."""
    verdict: Verdict
    reason: str
    """Reason that there is no ratio, or no interval."""
    noise: Noise | None
    """Noise between sessions by which the interval is widened; None without a ratio."""
    doubts_a: tuple[Doubt, ...]
    """Warnings and severe diagnoses of the run in the first session."""
    doubts_b: tuple[Doubt, ...]
    differences: tuple[str, ...]
    """Differences in settings and workload, `NAME: B against A`."""

    @property
    def disturbed(self) -> dict[str, list[str]]:
        """Names of the sides, A and B, that other programs disturbed, by where they were measured."""
        found: dict[str, list[str]] = {}
        for side, doubts in (("A", self.doubts_a), ("B", self.doubts_b)):
            for name, place in PLACES.items():
                if any(doubt.name == name for doubt in doubts):
                    found.setdefault(place, []).append(side)
        return found

    def is_regression(self, percent: float) -> bool:
        """Return whether it is worse by more than `percent`, and its whole interval is below 1.

        A run measured in the first session and missing in the second is a regression too.
        """
        if self.ratio is None:
            return self.a is not None and self.b is None
        return self.verdict == "worse" and self.ratio < 1 - percent / 100


def changes_between(key: Key, ours: Side, theirs: Side, history: History) -> Iterator[Change]:
    """Yield one change, or one for each concurrent training; none if both sessions skip it."""
    if all(run.state == "skipped" for side in (ours, theirs) for run in side.configuration.runs):
        return
    before, after = rates(ours.configuration), rates(theirs.configuration)
    for rank in dict.fromkeys([*before, *after]) or [None]:
        noise = history.noise(key, rank, ours.recorded, theirs.recorded)
        yield _change(ours, theirs, rank, before.get(rank, []), after.get(rank, []), noise)


def _change(one: Side, other: Side, rank: int | None, before: Rates, after: Rates, noise: Noise) -> Change:
    ours, theirs = one.configuration, other.configuration
    spec = ours.spec
    a, b = typical_rate(before), typical_rate(after)
    found = Estimate(b / a, _interval(before, after, b / a, noise), len(after)) if a and b else None
    verdict, reason = _verdict(ours, theirs, before, after, found)
    workloads = spec.workloads if rank is None else (spec.workload_of(rank),)
    workload = " + ".join(dict.fromkeys(each.title for each in workloads))
    return Change(
        label=ours.label if rank is None else f"{ours.label}: {workload} (rank {rank})",
        mode=spec.mode,
        devices=spec.device_count,
        workload=workload,
        batch_per_device=spec.batch_per_device(rank or 0),
        run_a=spec.id,
        run_b=theirs.spec.id,
        rank=rank,
        unit=common_unit(run.unit for side in (ours, theirs) for run in side.usable),
        a=a,
        b=b,
        ratio=found.value if found else None,
        interval=found.interval if found else None,
        verdict=verdict,
        reason=reason,
        noise=noise if found else None,
        doubts_a=one.doubts,
        doubts_b=other.doubts,
        differences=tuple(_differences(ours, theirs, rank)),
    )


def _interval(before: Rates, after: Rates, ratio: float, noise: Noise) -> Interval | None:
    """Return the interval of the ratio after / before; None if there is too little data."""
    within = _interval_within(before, after)
    return None if within is None else noise.widen(ratio, within)


def _interval_within(before: Rates, after: Rates) -> Interval | None:
    """Return the interval that the noise within the sessions gives."""
    if len(before) + len(after) > 2:
        medians = [[statistics.median(each) for each in repeats] for repeats in (after, before)]
        return statistics.repeats_ratio_interval(*medians)
    ((ours,), (theirs,)) = before, after
    if min(len(ours), len(theirs)) < statistics.FEWEST:
        return None
    return statistics.ratio_interval(theirs, ours)


def _verdict(
    ours: Configuration,
    theirs: Configuration,
    before: Rates,
    after: Rates,
    found: Estimate | None,
) -> tuple[Verdict, str]:
    if found is None:
        missing = [_state(runs) if not rates else "" for runs, rates in ((ours, before), (theirs, after))]
        if missing[0] == missing[1]:
            return "no figures", f"{missing[0]} in both"
        sides = zip(missing, ("the first session", "the other"), strict=True)
        return "no figures", "; ".join(f"{state} in {which}" for state, which in sides if state)
    if found.interval is None:
        needs = f"an interval requires {statistics.FEWEST} windows in each session, or two repeats in one"
        return "too few windows", needs
    if found.interval[0] > 1:
        return "better", ""
    return ("worse", "") if found.interval[1] < 1 else ("no difference", "")


def _state(configuration: Configuration) -> str:
    run = configuration.representative
    if run.state == "measured":
        return "has no throughput of its own"
    return {
        "waiting": "has not begun",
        "running": "has not finished",
        "failed": "failed",
        "skipped": "was skipped",
        "stopped": "was stopped",
    }[run.state]


def _differences(ours: Configuration, theirs: Configuration, rank: int | None) -> Iterator[str]:
    both = min(len(ours.spec.workloads), len(theirs.spec.workloads))
    for number in range(both) if rank is None else (rank,):
        yield from workload_differences(theirs.spec, ours.spec, (number, number))
    a_settings, b_settings = _settings(ours, rank), _settings(theirs, rank)
    if a_settings and b_settings:
        in_workload = set(ours.spec.workload.__struct_fields__)
        # Of the same mode, devices and batch: nothing of how their ranks speak is under test here.
        for text in setting_differences(b_settings, a_settings, left_out=SCHEDULE):
            if text.partition(":")[0] not in in_workload:
                yield text


def _settings(configuration: Configuration, rank: int | None) -> dict[str, Setting]:
    run = configuration.representative
    number = min(run.ranks, default=0) if rank is None else rank
    return run.ranks[number].settings if number in run.ranks else {}
