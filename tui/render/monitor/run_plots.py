"""The plots of a run: throughput over time and loss over steps."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from textual.content import Content

from ....engine.analysis.results.throughput import run_summary
from ....engine.record.events import Evaluation
from ....engine.record.series import Bucket
from ....engine.record.session import RunState, Session
from ....engine.text.axes import short_number
from ....engine.text.units import clock, in_unit, loss_unit, number, percent
from ..drawing.plot import CurvePlot, PlotAxes, PlotCurve, PlotLevel, render_plot
from .time_range import CLOCK_STEPS, TIME_RANGES, TimeRange, round_up

AXIS_CELLS = 10
"""Approximate width of the labels of the y axis."""
WARMUP_COLOR = 3
"""Plot colour of the loss in warm-up."""
STEPS_APART = (1, 2, 5)
"""First distances between the numbers of steps, which are whole."""
COMPARABLE_RATIO = 1.5
"""A reference run is drawn if neither run is faster than the other by more than this factor."""


class TitledPlot(NamedTuple):
    """A plot and its title."""

    title: str
    content: Content


class PlotArea(NamedTuple):
    """Size of a plot in cells, its characters, and the stretch of time it shows."""

    width: int
    height: int
    unicode: bool = True
    time: TimeRange = TIME_RANGES[0]

    def titled(self, title: str) -> str:
        """Return the title, with the stretch of time unless all of it is shown."""
        return f"{title}, {self.time.words}" if self.time.words else title


def throughput_plot(session: Session, run: RunState | None, area: PlotArea) -> TitledPlot:
    """Plot the live throughput of all ranks, the windows as marks, their median and a reference as lines."""
    if run is None or run.started_at is None:
        return TitledPlot("Samples/s", Content.styled("no run yet", "$muted"))
    started = run.started_at
    start, end = area.time.stretch(started, run.finished_at or session.elapsed)
    columns = max(2, area.width - AXIS_CELLS)
    live = PlotCurve(run.throughput.binned(start, end, columns))
    is_live = run.state == "running" and run.throughput.last is not None
    title = [f"live {number(run.throughput.last)}"] if is_live else []
    levels = []
    measured = run_summary(run).throughput
    if measured is not None:
        levels.append(PlotLevel(measured, 2))
        title.append(f"median {number(measured)}")
    reference = _reference(session, run)
    if reference is not None and (known := run_summary(reference).throughput):
        title.append(f"{reference.spec.label} {number(known)}")
        if measured and 1 / COMPARABLE_RATIO < known / measured < COMPARABLE_RATIO:
            levels.append(PlotLevel(known, 3))
    axes = PlotAxes(lambda x: clock(x - started), short_number, start, end, CLOCK_STEPS)
    shown = CurvePlot([live], axes, levels, _window_marks(run, start, end, columns))
    words = ": ".join(filter(None, (area.titled(in_unit("Samples/s", run.unit)), ", ".join(title))))
    return TitledPlot(words, render_plot(shown, area.width, area.height, area.unicode))


def _reference(session: Session, run: RunState) -> RunState | None:
    """Return the run to compare with: the baseline, else the newest measured run of the same workload."""
    baseline = session.runs.get(run.spec.baseline or "")
    if baseline is not None and baseline is not run and baseline.state == "measured":
        return baseline
    alike = [
        other
        for other in session.runs.values()
        if other is not run and other.state == "measured" and other.spec.workloads == run.spec.workloads
    ]
    return max(alike, key=lambda other: other.finished_at or 0.0, default=None)


def _window_marks(run: RunState, start: float, end: float, columns: int) -> list[tuple[float, float]]:
    """Return a point per window; windows that share a column become their median."""
    width = (end - start) / columns
    shared: dict[int, list[float]] = {}
    for window in run.complete_windows:
        if start <= window.at <= end:
            shared.setdefault(int((window.at - start) / width), []).append(window.throughput)
    return [(start + (column + 0.5) * width, median(rates)) for column, rates in shared.items()]


def loss_plot(run: RunState | None, area: PlotArea) -> TitledPlot:
    """Plot the training loss of rank 0 over steps, with the test loss if epochs were evaluated."""
    if run is None or run.started_at is None:
        return TitledPlot("Loss", Content.styled("no run yet", "$muted"))
    steps = run.ranks[0].steps if 0 in run.ranks else 0
    start, end = _steps_shown(run, steps, area.time)
    curves = list(_loss_curves(run, start, end, max(2, area.width - AXIS_CELLS)))
    tested = [point for point in _test_loss(run) if start <= point.x <= end]
    if tested:
        curves.append(PlotCurve(tested, 2))
    title = area.titled("Loss over steps")
    if run.loss.last is not None:
        title += f": {number(run.loss.last)} {loss_unit(run.unit)}".rstrip()
    if len(curves) > 1 and curves[0].letter:
        title += f" ({curves[0].letter}: warm-up)"
    if run.evaluations.get(0):
        last: Evaluation = run.evaluations[0][-1]
        title += "" if last.test_accuracy is None else f", accuracy {percent(last.test_accuracy)}"
        title += f", test loss {number(last.test_loss)}"
    content = render_plot(
        CurvePlot(curves, PlotAxes(short_number, number, start, end, STEPS_APART)),
        area.width,
        area.height,
        area.unicode,
    )
    return TitledPlot(title, content)


def _loss_curves(run: RunState, start: float, end: float, columns: int) -> Iterator[PlotCurve]:
    """Yield the loss in warm-up, after which training begins anew, and the loss since."""
    begins = run.warmup_steps or 0
    width = (end - start) / columns
    if start < begins:
        before = run.loss.between(start, begins - 1)
        if before:
            shown = run.loss.binned(start, begins - 1, max(2, round((begins - start) / width)))
            yield PlotCurve(shown, WARMUP_COLOR, "w")
    first = max(start, begins)
    if first < end:
        yield PlotCurve(run.loss.binned(first, end, max(2, round((end - first) / width))))


def _steps_shown(run: RunState, steps: int, time: TimeRange) -> tuple[float, float]:
    if time.seconds is None or 0 not in run.ranks:
        return 0.0, round_up(steps)
    # Steps carry no timestamps: take the newest whose durations add up to the stretch of time.
    left = time.seconds
    for bucket in reversed(run.ranks[0].step_seconds.buckets()):
        left -= bucket.mean * bucket.points
        if left <= 0:
            shown = round_up(steps - bucket.x)
            end = -(-steps // max(1, shown // 6)) * max(1, shown // 6)
            return max(0.0, end - shown), end
    return 0.0, round_up(steps)


def _test_loss(run: RunState) -> list[Bucket]:
    steps = run.ranks[0].steps_per_epoch if 0 in run.ranks else None
    if not steps:
        return []
    begins = run.warmup_steps or 0
    points = [
        (begins + one.epoch * steps, one.test_loss)
        for one in run.evaluations.get(0, ())
        if one.test_loss is not None
    ]
    return [Bucket(x, loss, loss, loss, 1) for x, loss in points[-200:]]
