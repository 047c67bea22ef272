"""The figures of a session by which it is compared with others: window rates of each configuration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ... import statistics
from ...plan.plan import RunSpec
from ...plan.preset.values import value_at
from ...plan.preset.vary import effective, settings_text
from ...record.session import Session
from ..results.configuration import Configuration, configurations
from ..results.throughput import run_summary, throughputs

Key = tuple[str, int, tuple[tuple[str, int], ...], str, int]
"""Mode, devices, names and batches of the workloads, values of variables under test, and a number where
several configurations agree in these."""

Rates = list[tuple[float, ...]]
"""Throughput of each window of each measured repeat."""


def matched_part(spec: RunSpec) -> tuple[str, int, tuple[tuple[str, int], ...]]:
    """Return the part of a run's key that its plan alone determines."""
    workloads = tuple((each.title, each.batch) for each in spec.workloads)
    return spec.mode, spec.device_count, workloads


def varied_keys(sessions: Iterable[Session]) -> tuple[str, ...]:
    """Return the keys of the workload that are under test in any of the sessions."""
    keys = {key for session in sessions for run in session.runs.values() for key in run.spec.varied}
    return tuple(sorted(keys))


def by_key(session: Session, varied: Sequence[str] | None = None) -> dict[Key, Configuration]:
    """Return the configurations by the key that matches them; duplicates are numbered.

    `varied`: keys under test here or in sessions that it is compared with, by default those of its own. A
    session that did not vary them has one value of each.
    """
    found: dict[Key, Configuration] = {}
    varied = varied_keys([session]) if varied is None else varied
    for configuration in configurations(session):
        spec = configuration.spec
        values = {key: spec.varied.get(key, value_at(spec.workload, key)) for key in varied}
        part = (*matched_part(spec), settings_text(effective(values, spec.workload, spec.mode)))
        number = sum(key[:4] == part for key in found)
        found[(*part, number)] = configuration
    return found


def rates(configuration: Configuration) -> dict[int | None, Rates]:
    """Return the rates over all ranks under None, or of different concurrent trainings by rank."""
    measured = [run for run in configuration.usable if run.state == "measured"]
    together = [throughputs(run.complete_windows) for run in measured if run_summary(run).throughput]
    if together:
        return {None: together}
    found: dict[int | None, Rates] = {}
    for run in measured:
        for number, rank in sorted(run.ranks.items()):
            if run.spec.mode == "concurrent" and rank.windows:
                found.setdefault(number, []).append(throughputs(rank.windows))
    return found


def typical_rate(repeats: Rates) -> float | None:
    """Return the geometric mean of the repeats' medians; None without any."""
    return statistics.geometric_mean(list(map(statistics.median, repeats))) if repeats else None
