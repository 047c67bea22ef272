"""Throughput of runs and configurations from their windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from weakref import WeakKeyDictionary

from msgspec import Struct

from ... import statistics
from ...record.events import Window
from ...record.session import RankState, RunState
from ...record.windows import WindowTotal
from ...statistics import Interval
from .configuration import Configuration


class Summary(Struct, frozen=True, kw_only=True):
    """Statistics over windows."""

    windows: int
    throughput: float | None = None
    """Median over windows of samples / seconds, in samples/s."""
    spread: float | None = None
    """1.4826 times the median absolute deviation, in samples/s; from two windows on."""
    interval: Interval | None = None
    """95% interval of the median, in samples/s; from five windows on."""
    step_seconds: float | None = None
    """Time of one optimizer step: median over windows of seconds / steps."""
    repeats: tuple[float, ...] = ()
    """Throughput of each of several repeats, in samples/s. Throughput and step are then geometric means of
    the repeats' medians, and the interval uses Student's t over the repeats."""


def throughputs(windows: Iterable[Window | WindowTotal]) -> tuple[float, ...]:
    """Return the throughput of each window, in samples/s."""
    return tuple(window.samples / window.seconds for window in windows)


def summarise(windows: Sequence[Window | WindowTotal]) -> Summary:
    """Return median, spread and interval over windows, each with its own samples and seconds."""
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
"""Newest summary of each run, and the key of the windows behind it.

The monitor asks for it several times in each tick, which would otherwise take 40 ms longer with 3,600
windows.
"""


def run_summary(run: RunState) -> Summary:
    """Summarise the complete windows of a run: samples of all ranks over seconds of the slowest.

    A failed run has no figures. Repeated calls are free until there are new windows.
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


def summarise_configuration(configuration: Configuration) -> Summary:
    """Summarise the windows of all usable runs of a configuration."""
    runs = configuration.usable
    if not all(map(_adds_up, runs)):
        return Summary(windows=sum(len(run.complete_windows) for run in runs))
    return pool([run.complete_windows for run in runs])


def _adds_up(run: RunState) -> bool:
    """Return whether the ranks' windows form joint ones: of equal workloads, and simultaneous.

    Independent trainings by epochs take theirs at their own pace.
    """
    independent = run.spec.mode == "concurrent"
    return len(set(run.spec.workloads)) == 1 and not (independent and run.spec.measure.epochs)


def pool(repeats: Sequence[Sequence[Window | WindowTotal]]) -> Summary:
    """Summarise the windows of several repeats."""
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


def peak_memory(ranks: Iterable[RankState]) -> int | None:
    """Return the peak memory allocated on any one device of these ranks, in bytes."""
    measured = [rank.measured for rank in ranks if rank.measured is not None]
    peaks = [peak for event in measured for peak in event.peak_memory_bytes if peak is not None]
    return max(peaks, default=None)
