"""The input and output of diagnosis rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ...plan.plan import RunSpec
from ...plan.remedy import Remedy
from ...plan.workload.workload import Workload
from ...record.session import Session
from ..results.configuration import Configuration
from ..results.result import Result

Severity = Literal["severe", "warning", "info"]
"""`severe`: figures are wrong or most of the machine is wasted; `warning`: worth acting on."""


Figure = tuple[str, str]
"""Name of a figure, and its value with unit."""


class Evidence(Struct, frozen=True):
    """One figure on which a diagnosis rests."""

    what: str
    value: str
    """Value with unit."""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """Something that explains or casts doubt on a session's figures."""

    name: str
    severity: Severity
    sentence: str
    """Finding, about the run in which it is most severe."""
    evidence: tuple[Evidence, ...]
    advice: str
    """Suggestion for what to try."""
    remedies: tuple[Remedy, ...] = ()
    """Changes that the program can try by itself on the first of `runs`, most promising first; none if it can
    make none, or that run has them all."""
    tried_on: str = ""
    """Label of that run."""
    runs: tuple[str, ...]
    """Ids of the runs concerned, that of the sentence first, first repeats only; all runs if the machine is
    concerned."""


class Subject(NamedTuple):
    """A configuration under examination, with its result."""

    configuration: Configuration
    result: Result

    @property
    def spec(self) -> RunSpec:
        """Plan entry of the first repeat."""
        return self.configuration.spec

    def diagnosis(
        self,
        name: str,
        severity: Severity,
        sentence: str,
        evidence: Iterable[Figure],
        advice: str,
        remedies: Iterable[Remedy] = (),
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
            advice=advice,
            remedies=tuple(remedies),
            tried_on=self.result.label,
            runs=(self.result.run,),
        )


class Case(NamedTuple):
    """A session with the configurations that rules examine."""

    session: Session
    runs: tuple[Subject, ...]
    """All configurations of the plan, in its order."""

    @property
    def trained(self) -> list[Subject]:
        """Configurations that have a throughput and train one model."""
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
    """Return a workload with name, batch and learning rate neutralised, for comparison."""
    return replace(workload, name="", batch=1, learning_rate=1.0)
