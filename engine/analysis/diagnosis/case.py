"""What rules look at, and what they yield."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ...plan.plan import RunSpec
from ...plan.preset import Workload
from ...record.session import RankState, RunState, Session
from ..results.configuration import configurations, measured_spans, usable
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


class Run(NamedTuple):
    """One configuration of the plan: its result, and the repeats that it comes from."""

    result: Result
    repeats: list[RunState]

    @property
    def spec(self) -> RunSpec:
        """The configuration, as its first repeat has it."""
        return self.repeats[0].spec

    @property
    def ranks(self) -> list[tuple[int, RankState]]:
        """Number and state of every rank of every repeat whose figures count."""
        return [pair for run in usable(self.repeats) for pair in sorted(run.ranks.items())]

    @property
    def spans(self) -> list[tuple[float, float]]:
        """When it was measured, one span a repeat."""
        return measured_spans(self.repeats)

    def diagnosis(
        self, name: str, severity: Severity, sentence: str, evidence: Iterable[Figure], remedy: str
    ) -> Diagnosis:
        """A diagnosis of this run; its evidence is pairs of what a figure is and its value.

        Whose they are is added to the sentence here, and to the evidence where other runs join in.
        """
        return Diagnosis(
            name=name,
            severity=severity,
            sentence=f"{self.result.label}: {sentence}",
            evidence=tuple(Evidence(what, value) for what, value in evidence),
            remedy=remedy,
            runs=(self.result.run,),
        )

    @property
    def gpus(self) -> list[int]:
        """Indices of the GPUs it ran on."""
        return [device.index for device in self.spec.devices if device.kind == "cuda"]


class Case(NamedTuple):
    """A session with its results."""

    session: Session
    runs: tuple[Run, ...]

    @property
    def trained(self) -> list[Run]:
        """The runs that have a throughput and train one model."""
        return [
            run for run in self.runs if run.result.throughput is not None and run.spec.mode != "concurrent"
        ]

    def baseline(self, run: Run) -> Run | None:
        """What a run is compared with; None for a baseline itself, and where the plan names none."""
        name = run.spec.baseline
        if name is None or name == run.spec.id:
            return None
        return next((other for other in self.runs if name in (each.spec.id for each in other.repeats)), None)


Rule = Callable[[Case], Iterator[Diagnosis]]


def case_of(session: Session, found: Sequence[Result]) -> Case:
    """The session's results beside the runs that they come from."""
    return Case(session, tuple(map(Run, found, configurations(session))))


def at_any_batch(workload: Workload) -> Workload:
    """Equal for workloads that differ in nothing but name, batch and learning rate."""
    return replace(workload, name="", batch=1, learning_rate=1.0)
