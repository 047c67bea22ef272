"""The input and output of answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...plan.plan import RunSpec
from ...record.session import RunState, Session
from ...statistics import Estimate
from ..diagnosis.case import Diagnosis
from ..diagnosis.exchange import NAME as EXPOSED_COMMUNICATION
from ..diagnosis.input import NAME as INPUT_BOUND
from ..diagnosis.stragglers import NAME as STRAGGLER
from ..results.baseline import throughput_ratio
from ..results.configuration import Configuration
from ..results.result import Result

HOLDS_BACK = frozenset({INPUT_BOUND, EXPOSED_COMMUNICATION, STRAGGLER})
"""Names of diagnoses that explain a figure; every other severe one means that the figure is wrong."""


class Sentence(NamedTuple):
    """An answer, without a full stop."""

    text: str
    about: tuple[Result, ...]
    """Results whose figures it gives."""


class Inquiry(NamedTuple):
    """The question of a session, and all that was found, to answer it from."""

    session: Session
    configurations: Sequence[Configuration]
    results: Sequence[Result]
    diagnoses: Sequence[Diagnosis]
    """Diagnoses of each run."""

    @property
    def with_figures(self) -> list[Result]:
        """Results that were measured, or stopped after several windows."""
        return [
            each
            for each in self.results
            if each.state == "measured" or (each.state == "stopped" and each.windows > 1)
        ]

    def configuration(self, result: Result) -> Configuration:
        """Return the configuration of a result."""
        return next(each for each in self.configurations if each.spec.id == result.run)

    def spec(self, result: Result) -> RunSpec:
        """Return the plan's entry of a result."""
        return self.configuration(result).spec

    def baseline(self, result: Result) -> Result | None:
        """Return the result that another is compared with; None for a baseline, or where there is none."""
        found = (each for each in self.results if each.run == result.baseline and each is not result)
        return next(found, None)

    def on_gpus(self, result: Result) -> bool:
        """Return whether a result was measured on GPUs."""
        return any(device.kind == "cuda" for device in self.spec(result).devices)

    def ratio(self, ours: Result, theirs: Result) -> Estimate | None:
        """Return the throughput of one result over that of another; None where either has none.

        Each repeat is compared with the same repeat of the other.
        """
        if ours.throughput is None or theirs.throughput is None:
            return None
        others = {run.spec.repeat: run for run in self.configuration(theirs).usable}
        pairs: list[tuple[RunState, RunState]] = [
            (run, others[run.spec.repeat])
            for run in self.configuration(ours).usable
            if run.spec.repeat in others and run.complete_windows and others[run.spec.repeat].complete_windows
        ]
        return throughput_ratio(pairs) if pairs else None

    def severe(self, *results: Result) -> list[str]:
        """Return the names of the severe diagnoses of these results."""
        runs = {result.run for result in results}
        found = [
            each for each in self.diagnoses if each.severity == "severe" and runs.intersection(each.runs)
        ]
        return list(dict.fromkeys(each.name for each in found))

    def is_doubted(self, *results: Result) -> bool:
        """Return whether a severe diagnosis says that the figures of these results are wrong."""
        return not HOLDS_BACK.issuperset(self.severe(*results))


Answering = Callable[[Inquiry], Sentence | None]
"""Answers the question; None where what was found does not suffice."""
