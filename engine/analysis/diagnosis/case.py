"""What rules look at, and what they yield."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ...plan.plan import RunSpec
from ...plan.preset import Workload
from ...record.session import Session
from ..results.configuration import Configuration
from ..results.result import Result

Severity = Literal["severe", "warning", "info"]
"""`severe`: figures are wrong or the machine is mostly wasted; `warning`: worth acting on."""


Figure = tuple[str, str]
"""What a figure is, and its value with its unit."""


class Evidence(Struct, frozen=True):
    """One number that a diagnosis rests on."""

    what: str
    value: str
    """With its unit."""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """Something that explains or spoils a session's figures."""

    name: str
    severity: Severity
    sentence: str
    """What was found, about the run in which it is gravest."""
    evidence: tuple[Evidence, ...]
    remedy: str
    """What to try."""
    runs: tuple[str, ...]
    """Ids of the runs concerned, of the first repeat each; all of them where it is the machine's."""


class Subject(NamedTuple):
    """A configuration under examination, with its result."""

    configuration: Configuration
    result: Result

    @property
    def spec(self) -> RunSpec:
        """The plan's entry for the first repeat."""
        return self.configuration.spec

    def diagnosis(
        self, name: str, severity: Severity, sentence: str, evidence: Iterable[Figure], remedy: str
    ) -> Diagnosis:
        """Make a diagnosis of this configuration; the evidence is pairs of a figure's name and value.

        The configuration's label is put before the sentence here, and before the evidence where other
        configurations share the diagnosis.
        """
        return Diagnosis(
            name=name,
            severity=severity,
            sentence=f"{self.result.label}: {sentence}",
            evidence=tuple(Evidence(what, value) for what, value in evidence),
            remedy=remedy,
            runs=(self.result.run,),
        )


class Case(NamedTuple):
    """A session with the configurations that rules examine."""

    session: Session
    runs: tuple[Subject, ...]
    """All configurations of the plan, in its order."""

    @property
    def trained(self) -> list[Subject]:
        """The configurations that have a throughput and train one model."""
        return [
            run for run in self.runs if run.result.throughput is not None and run.spec.mode != "concurrent"
        ]

    def baseline(self, run: Subject) -> Subject | None:
        """Return the configuration to compare with; None for a baseline itself, or where there is none."""
        name = run.spec.baseline
        if name is None or name == run.spec.id:
            return None
        return next(
            (other for other in self.runs if name in (each.spec.id for each in other.configuration.runs)),
            None,
        )


Rule = Callable[[Case], Iterator[Diagnosis]]


def at_any_batch(workload: Workload) -> Workload:
    """Equal for workloads that differ in nothing but name, batch and learning rate."""
    return replace(workload, name="", batch=1, learning_rate=1.0)
