"""What the windows, the evaluations and the last words of a run's ranks say together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from weakref import WeakKeyDictionary

from msgspec import Struct

from ... import statistics
from ...record.events import Evaluation, Window
from ...record.session import RankState, RunState
from ...record.windows import WindowTotal
from ..estimates import Interval
from .configuration import usable


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
    repeats: tuple[float, ...] = ()
    """Throughput of each repeat, samples/s, where there are several: then the throughput and the step are
    geometric means of the repeats' medians, and the interval is that of Student's t over them."""


class Learnt(Struct, frozen=True, kw_only=True):
    """What training by epochs came to."""

    epochs: int
    test_accuracy: float
    """After the last epoch, a share of 1."""
    best_accuracy: float
    """After the best epoch for the test set."""
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


_KNOWN: WeakKeyDictionary[RunState, tuple[tuple[object, ...], Summary]] = WeakKeyDictionary()
"""The newest summary of each run, and what it was made of."""


def run_summary(run: RunState) -> Summary:
    """All ranks' samples over the slowest rank's seconds, from complete windows.

    A run that failed has no figures. Asking again costs nothing until there are new windows.
    """
    windows = run.complete_windows
    made_of = (run.state == "failed", len(windows), windows[-1].index if windows else None)
    known = _KNOWN.get(run)
    if known is None or known[0] != made_of:
        known = _KNOWN[run] = made_of, _run_summary(run)
    return known[1]


def _run_summary(run: RunState) -> Summary:
    if run.state == "failed":
        return Summary(windows=0)
    if not _adds_up(run):
        return Summary(windows=len(run.complete_windows))
    return summarise(run.complete_windows)


def summarise_repeats(repeats: Sequence[RunState]) -> Summary:
    """What the repeats of one configuration say together; of a single one, what its windows say."""
    runs = usable(repeats)
    if not all(map(_adds_up, runs)):
        return Summary(windows=sum(len(run.complete_windows) for run in runs))
    return pool([run.complete_windows for run in runs])


def _adds_up(run: RunState) -> bool:
    """Whether the ranks' windows are one window: of the same workload, and taken at the same time.

    Independent trainings by epochs take theirs each at its own pace.
    """
    independent = run.spec.mode == "concurrent"
    return len(set(run.spec.workloads)) == 1 and not (independent and run.spec.measure.epochs)


def pool(repeats: Sequence[Sequence[Window | WindowTotal]]) -> Summary:
    """What the windows of several repeats say together."""
    summaries = [summarise(windows) for windows in repeats if windows]
    if len(summaries) < 2:
        return summaries[0] if summaries else Summary(windows=0)
    rates = tuple(summary.throughput for summary in summaries if summary.throughput is not None)
    steps = [summary.step_seconds for summary in summaries if summary.step_seconds is not None]
    return Summary(
        windows=sum(summary.windows for summary in summaries),
        throughput=statistics.geometric_mean(rates),
        spread=statistics.mad([rate for windows in repeats for rate in throughputs(windows)]),
        interval=statistics.repeats_interval(rates),
        step_seconds=statistics.geometric_mean(steps),
        repeats=rates,
    )


def learnt_by(repeats: Sequence[RunState], ranks: Iterable[int] | None = None) -> Learnt | None:
    """What these ranks (all unless given) learnt, on average over the repeats that did as many epochs."""
    found = [learnt(run, run.ranks if ranks is None else ranks) for run in usable(repeats)]
    known = [each for each in found if each is not None]
    longest = [each for each in known if each.epochs == max(other.epochs for other in known)]
    if len(longest) < 2:
        return longest[0] if longest else None
    losses = [each.test_loss for each in longest if each.test_loss is not None]
    return Learnt(
        epochs=longest[0].epochs,
        test_accuracy=fmean(each.test_accuracy for each in longest),
        best_accuracy=fmean(each.best_accuracy for each in longest),
        test_loss=fmean(losses) if len(losses) == len(longest) else None,
        epoch_seconds=fmean(each.epoch_seconds for each in longest),
    )


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
        best_accuracy=max(epoch[0].test_accuracy for epoch in epochs.values()),
        test_loss=last.test_loss,
        epoch_seconds=sum(slowest) / len(slowest),
    )


def peak_memory(ranks: Iterable[RankState]) -> int | None:
    """Most memory allocated on any one device of these ranks, bytes."""
    finished = [rank.finished for rank in ranks if rank.finished is not None]
    peaks = [peak for event in finished for peak in event.peak_memory_bytes if peak is not None]
    return max(peaks, default=None)
