"""The figures of a session by which it is compared with others: window rates of each configuration."""

from __future__ import annotations

from ... import statistics
from ...plan.plan import RunSpec
from ...record.session import Session
from ..results.configuration import Configuration, configurations
from ..results.throughput import run_summary, throughputs

Key = tuple[str, int, tuple[tuple[str, int], ...], int]
"""Mode, devices, names and batches of the workloads, and a number where several configurations agree in
these."""

Rates = list[tuple[float, ...]]
"""Throughput of each window of each measured repeat."""


def matched_part(spec: RunSpec) -> tuple[str, int, tuple[tuple[str, int], ...]]:
    """Return the part of a run's key that its plan alone determines."""
    workloads = tuple((each.title, each.batch) for each in spec.workloads)
    return spec.mode, spec.device_count, workloads


def by_key(session: Session) -> dict[Key, Configuration]:
    """Return the configurations by the key that matches them; duplicates are numbered."""
    found: dict[Key, Configuration] = {}
    for configuration in configurations(session):
        part = matched_part(configuration.spec)
        number = sum(key[:3] == part for key in found)
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
