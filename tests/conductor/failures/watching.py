"""Watches over ranks that exist only as numbers, and what such ranks say."""

from __future__ import annotations

from pathlib import Path

from gpubench_tui.engine.conductor.failures.watchdog import RunWatch
from gpubench_tui.engine.record.events import RankFailed, RankStarted, Steps

from ..conftest import run_spec

NOWHERE = [Path("/nonexistent")] * 4
"""Logs that do not exist."""


def watch(ranks: int = 2, hang: float = 60.0) -> RunWatch:
    over = RunWatch.over(run_spec(0, "test", ranks=ranks, hang=hang))
    for rank in range(ranks):
        over.appear(rank, 1000 + rank, entered=True)
        over.hear(rank, [RankStarted(at=0.1, run="r", rank=rank, pid=1000 + rank, device="cpu", settings={})])
    return over


def failed(rank: int, at: float, message: str) -> RankFailed:
    return RankFailed(at=at, run="r", rank=rank, kind="raised", message=message)


def steps(rank: int, first: int, count: int, at: float, seconds: float = 1.0) -> Steps:
    each = [seconds] * count
    return Steps(
        at=at, run="r", rank=rank, first=first, seconds=each, loss=[None], samples=[1], learning_rate=each
    )
