"""A configuration of the plan: the runs that repeat it, which share one result."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from ...plan.plan import RunSpec
from ...record.series import Span
from ...record.session import RankState, RunState, Session


class Configuration:
    """One configuration of the plan with its runs, one for each repeat.

    It is a snapshot for a single analysis: values computed from the runs are computed once. Make new
    configurations once the session has gone on.
    """

    def __init__(self, runs: Sequence[RunState]) -> None:
        """Take the runs, at least one, in the order of the plan."""
        self.runs = tuple(runs)

    @property
    def spec(self) -> RunSpec:
        """Plan entry of the first repeat."""
        return self.runs[0].spec

    @property
    def label(self) -> str:
        """Label of its runs without the number of the repeat."""
        return configuration_label(self.spec)

    @cached_property
    def usable(self) -> list[RunState]:
        """Runs whose figures count: those measured, or else all that did not fail."""
        measured = [run for run in self.runs if run.state == "measured"]
        return measured or [run for run in self.runs if run.state != "failed"]

    @property
    def representative(self) -> RunState:
        """Run whose state is that of the configuration: running, measured, or the furthest one."""
        for state in ("running", "measured", "stopped", "failed"):
            for run in self.runs:
                if run.state == state:
                    return run
        return self.runs[0]

    @property
    def ranks(self) -> list[tuple[int, RankState]]:
        """Number and state of every rank of every usable run."""
        return [pair for run in self.usable for pair in sorted(run.ranks.items())]

    @property
    def gpus(self) -> list[int]:
        """Indices of the GPUs used."""
        return [device.index for device in self.spec.devices if device.kind == "cuda"]

    @cached_property
    def measured_spans(self) -> list[Span]:
        """Start of the first and end of the last window of each usable run, in s since the session
        started."""
        spans = []
        for run in self.usable:
            windows = [window for rank in run.ranks.values() for window in rank.windows]
            if windows:
                start = min(window.at - window.seconds for window in windows)
                spans.append((start, max(window.at for window in windows)))
        return spans


def configurations(session: Session) -> tuple[Configuration, ...]:
    """Return the configurations of the plan, in its order."""
    grouped: dict[str, list[RunState]] = {}
    for run in session.runs.values():
        grouped.setdefault(run.spec.configuration or run.spec.id, []).append(run)
    return tuple(map(Configuration, grouped.values()))


def configuration_label(spec: RunSpec) -> str:
    """Return the label of the configuration that a run repeats."""
    return spec.label.removesuffix(f", repeat {spec.repeat}")
