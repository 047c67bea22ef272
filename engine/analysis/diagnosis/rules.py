"""All rules, and what they find in a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from ...record.session import Session
from ..results.configuration import Configuration
from ..results.result import Result
from .case import Case, Diagnosis, Evidence, Rule, Severity, Subject
from .comparability import no_difference, not_comparable, super_linear
from .exchange import data_parallel_overhead, exposed_communication
from .input import loader_ceiling, slow_input, slower_than_synthetic
from .links import no_peer_access, slow_link, slow_pcie
from .machine import busy_machine, drift, shared_gpus, throttled
from .memory import little_memory, out_of_memory
from .processors import oversubscribed, unequal_threads
from .stragglers import straggler
from .work import idle_gpus, step_hardly_grows, undivided_epochs, unequal_samples

T = TypeVar("T", str, Evidence)

RULES: tuple[Rule, ...] = (
    out_of_memory,
    unequal_samples,
    undivided_epochs,
    super_linear,
    not_comparable,
    slow_input,
    slower_than_synthetic,
    loader_ceiling,
    oversubscribed,
    unequal_threads,
    straggler,
    exposed_communication,
    slow_link,
    no_peer_access,
    slow_pcie,
    data_parallel_overhead,
    throttled,
    shared_gpus,
    busy_machine,
    drift,
    little_memory,
    step_hardly_grows,
    idle_gpus,
    no_difference,
)
"""Each says nothing where the figures that it needs are missing."""

ORDER: tuple[Severity, ...] = ("severe", "warning", "info")


def diagnose(
    session: Session, configurations: Sequence[Configuration], found: Sequence[Result]
) -> list[Diagnosis]:
    """What explains or spoils the session's figures, gravest first; each name once, for all its runs."""
    case = Case(session, tuple(map(Subject, configurations, found)))
    named: dict[str, list[Diagnosis]] = {}
    for rule in RULES:
        for diagnosis in rule(case):
            named.setdefault(diagnosis.name, []).append(diagnosis)
    labels = {run.result.run: run.result.label for run in case.runs}
    return sorted((_together(same, labels) for same in named.values()), key=_gravity)


def _together(found: Sequence[Diagnosis], labels: Mapping[str, str]) -> Diagnosis:
    """One diagnosis of several with the same name: the gravest one's words, everybody's evidence."""
    gravest = min(found, key=_gravity)
    runs = _distinct(run for each in (gravest, *found) for run in each.runs)
    more = len(runs) - len(gravest.runs)
    also = f" (and {more} more run{'s' if more > 1 else ''})" if more else ""
    return replace(
        gravest,
        sentence=gravest.sentence + also,
        evidence=_distinct(
            item for each in (gravest, *found) for item in _evidence(each, labels if len(runs) > 1 else {})
        ),
        runs=runs,
    )


def _evidence(diagnosis: Diagnosis, labels: Mapping[str, str]) -> Iterable[Evidence]:
    """Its evidence with the label of the run that it is about; as it is without labels, or of many runs."""
    if not labels or len(diagnosis.runs) > 1:
        return diagnosis.evidence
    label = labels[diagnosis.runs[0]]
    return [Evidence(f"{label}: {item.what}", item.value) for item in diagnosis.evidence]


def _gravity(diagnosis: Diagnosis) -> int:
    return ORDER.index(diagnosis.severity)


def _distinct(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
