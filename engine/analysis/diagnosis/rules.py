"""The diagnosis rules, and their application to a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from ...record.session import Session
from ..results.configuration import Configuration
from ..results.result import Result
from .case import Case, Diagnosis, Evidence, Rule, Severity, Subject
from .comparability import no_difference, not_comparable, super_linear, unequal_repeats
from .data_parallel import data_parallel_exchange, data_parallel_overhead
from .exchange import exposed_communication, no_overlap
from .input import loader_ceiling, slow_input, slower_than_synthetic
from .learning import diverged, unreadable_images
from .links import no_peer_access, slow_link, slow_pcie
from .machine import busy_machine, drift, shared_gpus, throttled
from .memory import little_memory, out_of_memory
from .precision import slow_arithmetic
from .processors import oversubscribed, unequal_threads
from .stragglers import straggler
from .work import idle_gpus, step_hardly_grows, undivided_epochs, unequal_samples

T = TypeVar("T", str, Evidence)

RULES: tuple[Rule, ...] = (
    out_of_memory,
    diverged,
    unequal_samples,
    undivided_epochs,
    unequal_repeats,
    super_linear,
    not_comparable,
    slow_input,
    slower_than_synthetic,
    loader_ceiling,
    unreadable_images,
    oversubscribed,
    unequal_threads,
    straggler,
    exposed_communication,
    no_overlap,
    slow_link,
    no_peer_access,
    slow_pcie,
    data_parallel_overhead,
    data_parallel_exchange,
    throttled,
    shared_gpus,
    busy_machine,
    drift,
    little_memory,
    step_hardly_grows,
    idle_gpus,
    slow_arithmetic,
    no_difference,
)
"""Rules in the order of their diagnoses; each yields nothing if the figures it needs are missing."""

BY_HAND = "the program leaves this to you"
"""End of advice without a remedy."""

ORDER: tuple[Severity, ...] = ("severe", "warning", "info")


def diagnose(
    session: Session, configurations: Sequence[Configuration], found: Sequence[Result]
) -> list[Diagnosis]:
    """Return the diagnoses of a session in the order of the rules, as each finds them."""
    case = Case(session, tuple(map(Subject, configurations, found)))
    return [_complete(diagnosis) for rule in RULES for diagnosis in rule(case)]


def _complete(diagnosis: Diagnosis) -> Diagnosis:
    """Return a diagnosis whose advice says so if the program has no remedy to try against it."""
    if diagnosis.remedies:
        return diagnosis
    return replace(diagnosis, advice=f"{diagnosis.advice}; {BY_HAND}")


def together(diagnoses: Sequence[Diagnosis], found: Sequence[Result]) -> list[Diagnosis]:
    """Return the diagnoses of a session, most severe first; each name once, for all its runs."""
    named: dict[str, list[Diagnosis]] = {}
    for diagnosis in diagnoses:
        named.setdefault(diagnosis.name, []).append(diagnosis)
    labels = {result.run: result.label for result in found}
    return sorted((_merge(same, labels) for same in named.values()), key=_gravity)


def _merge(found: Sequence[Diagnosis], labels: Mapping[str, str]) -> Diagnosis:
    """Merge diagnoses of one name: sentence and remedies of the most severe, the evidence of all."""
    gravest = min(found, key=lambda each: (_gravity(each), not each.remedies))
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
    """Return a diagnosis's evidence, labelled with its run if labels are given and it concerns one run."""
    if not labels or len(diagnosis.runs) > 1:
        return diagnosis.evidence
    label = labels[diagnosis.runs[0]]
    return [Evidence(f"{label}: {item.what}", item.value) for item in diagnosis.evidence]


def _gravity(diagnosis: Diagnosis) -> int:
    return ORDER.index(diagnosis.severity)


def _distinct(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
