"""The repeats of one configuration, which share a result."""

from __future__ import annotations

from collections.abc import Sequence

from ...record.series import Span
from ...record.session import RunState, Session


def configurations(session: Session) -> list[list[RunState]]:
    """The runs of the plan by configuration, in its order: each a list of its repeats."""
    grouped: dict[str, list[RunState]] = {}
    for run in session.runs.values():
        grouped.setdefault(run.spec.configuration or run.spec.id, []).append(run)
    return list(grouped.values())


def usable(repeats: Sequence[RunState]) -> list[RunState]:
    """The repeats whose figures count: those measured, or else whatever there is but failures."""
    measured = [run for run in repeats if run.state == "measured"]
    return measured or [run for run in repeats if run.state != "failed"]


def label(repeats: Sequence[RunState]) -> str:
    """The configuration's name for people: its runs' label without the number of the repeat."""
    spec = repeats[0].spec
    return spec.label.removesuffix(f", repeat {spec.repeat}")


def measured_spans(repeats: Sequence[RunState]) -> list[Span]:
    """One of each repeat: from its first window's start to its last one's end."""
    found = []
    for run in usable(repeats):
        windows = [window for rank in run.ranks.values() for window in rank.windows]
        if windows:
            start = min(window.at - window.seconds for window in windows)
            found.append((start, max(window.at for window in windows)))
    return found
