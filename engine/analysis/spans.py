"""When a run was measured, and what a curve over time says of then."""

from __future__ import annotations

from collections.abc import Sequence

from ..record.series import Bucket, Series
from ..record.session import RunState
from .results.configuration import usable

Span = tuple[float, float]
"""From and until, seconds since the session started."""


def measured_spans(repeats: Sequence[RunState]) -> list[Span]:
    """One of each repeat: from its first window's start to its last one's end."""
    found = []
    for run in usable(repeats):
        windows = [window for rank in run.ranks.values() for window in rank.windows]
        if windows:
            start = min(window.at - window.seconds for window in windows)
            found.append((start, max(window.at for window in windows)))
    return found


def during(series: Series, spans: Sequence[Span]) -> list[Bucket]:
    """The part of a curve over time that lies in these spans."""
    return [bucket for bucket in series.buckets() if any(start <= bucket.x <= end for start, end in spans)]


def mean(buckets: Sequence[Bucket]) -> float | None:
    """Mean of all points in these buckets; None where there are none."""
    points = sum(bucket.points for bucket in buckets)
    return sum(bucket.mean * bucket.points for bucket in buckets) / points if points else None


def highest(series: Series, spans: Sequence[Span]) -> float | None:
    """The highest point of a curve in these spans; None where it has none there."""
    return max((bucket.high for bucket in during(series, spans)), default=None)
