"""Short runs: how each run of a pair is measured, and how long that takes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from msgspec.structs import replace

from ...plan.estimate import FIRST_START_SECONDS, START_SECONDS
from ...plan.preset.preset import Measure
from ...record.session import RunState

SHORT_SECONDS = 5.0
"""Most seconds of windows of each run of a pair."""
SHORT_SHARE = 0.5
"""Share of the preset's own seconds that each of them has at most: with every pair there are two more."""
SHORT_WINDOWS = 5


def short(measure: Measure, *, detail: bool = False) -> Measure:
    """Return how each run of a pair is measured: more pairs tell more than more windows do."""
    return replace(
        measure,
        epochs=0,
        repeats=1,
        windows=min(measure.windows, SHORT_WINDOWS),
        seconds=min(SHORT_SHARE * measure.seconds, SHORT_SECONDS),
        detail=measure.detail if detail else 0,
    )


def seconds_a_run(runs: Sequence[RunState]) -> float:
    """Return how long a run of a pair takes in a session of these runs; 0 before anything was measured.

    Before the first pair the start tells.
    """
    measured = [run for run in runs if run.state == "measured"]
    of_pairs = [run for run in measured if run.spec.attempt and run.spec.attempt.purpose != "start"]
    seconds = [
        run.finished_at - run.started_at if of_pairs else _if_short(run, run.finished_at - run.started_at)
        for run in of_pairs or measured
        if run.started_at is not None and run.finished_at is not None
    ]
    return statistics.median(seconds) if seconds else 0.0


def _if_short(run: RunState, whole: float) -> float:
    """Return how long a run would take as one of a pair, that took a `whole` time as the start of a tune.

    Those of pairs do without its detail phase, and without the first import of torch.
    """
    begun, measuring, over = run.entered.get("loading data"), run.entered.get("measuring"), run.windows_ended
    if begun is None or measuring is None or over is None or run.started_at is None:
        until_over = whole if over is None or run.started_at is None else over - run.started_at
        return max(until_over - FIRST_START_SECONDS, until_over / 2)
    start = START_SECONDS[run.spec.devices[0].kind] if run.spec.devices else 0.0
    return start + measuring - begun + min(over - measuring, short(run.spec.measure).seconds)
