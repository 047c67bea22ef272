"""What the windows, the evaluations and the last words of a run's ranks say together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from ..record.events import Evaluation, Window
from ..record.session import RankState, RunState
from ..record.windows import WindowTotal
from . import statistics

Interval = tuple[float, float]


class Summary(Struct, frozen=True, kw_only=True):
    """What windows say together."""

    windows: int
    throughput: float | None = None
    """Samples/s: the median over windows of samples / seconds."""
    spread: float | None = None
    """1.4826 times their median absolute deviation, samples/s; from two windows on."""
    interval: Interval | None = None
    """95% interval of that median, samples/s; from five windows on."""
    step_seconds: float | None = None
    """One optimizer step: the median over windows of seconds / steps."""


class Learnt(Struct, frozen=True, kw_only=True):
    """What training by epochs came to."""

    epochs: int
    test_accuracy: float
    """After the last epoch, a share of 1."""
    test_loss: float | None
    epoch_seconds: float
    """Mean training time of an epoch, evaluation excluded, on the slowest rank."""


def throughputs(windows: Iterable[Window | WindowTotal]) -> tuple[float, ...]:
    """Samples/s of each window."""
    return tuple(window.samples / window.seconds for window in windows)


def summarise(windows: Sequence[Window | WindowTotal]) -> Summary:
    """Median, spread and interval over windows, each of which owns both its samples and its seconds."""
    if not windows:
        return Summary(windows=0)
    rates = throughputs(windows)
    return Summary(
        windows=len(windows),
        throughput=statistics.median(rates),
        spread=statistics.mad(rates) if len(rates) > 1 else None,
        interval=statistics.median_interval(rates) if len(rates) >= statistics.FEWEST else None,
        step_seconds=statistics.median([window.seconds / window.steps for window in windows]),
    )


def run_summary(run: RunState) -> Summary:
    """All ranks' samples over the slowest rank's seconds, from complete windows.

    A run that failed has no figures, and samples of different workloads are not added up.
    """
    if run.state == "failed":
        return Summary(windows=0)
    if len(set(run.spec.workloads)) > 1:
        return Summary(windows=len(run.complete_windows))
    return summarise(run.complete_windows)


def learnt(run: RunState, ranks: Iterable[int]) -> Learnt | None:
    """What these ranks learnt together; None before the first evaluation."""
    epochs: dict[int, list[Evaluation]] = {}
    for rank in sorted(ranks):
        for evaluation in run.evaluations.get(rank, ()):
            epochs.setdefault(evaluation.epoch, []).append(evaluation)
    if not epochs:
        return None
    last = epochs[max(epochs)][0]
    slowest = [max(evaluation.seconds for evaluation in epoch) for epoch in epochs.values()]
    return Learnt(
        epochs=max(epochs),
        test_accuracy=last.test_accuracy,
        test_loss=last.test_loss,
        epoch_seconds=sum(slowest) / len(slowest),
    )


def peak_memory(ranks: Iterable[RankState]) -> int | None:
    """Most memory allocated on any one device of these ranks, bytes."""
    finished = [rank.finished for rank in ranks if rank.finished is not None]
    peaks = [peak for event in finished for peak in event.peak_memory_bytes if peak is not None]
    return max(peaks, default=None)
