"""Plots of learning curves over epochs, and of throughput over batch size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ...plan.preset.vary import settings_text
from ...text.axes import axis_labels
from ...text.units import percent
from ..report.columns import unit_of
from ..results.configuration import Configuration
from ..results.learning import EvaluatedTraining, trainings
from ..results.result import Result
from .legend import SAMPLE, LegendEntry, legend
from .line_plot import Line, Plot, Point, line_plot, mark
from .style import SERIES, SMALL
from .svg import Drawing, element, group, paragraph, stack

MOST_LINES = 12
"""Most lines in one plot; beyond that, marks would repeat."""
MOST_WITH_TRAINING = 3
"""Most trainings of which the training curve is drawn besides the test curve."""
FEWEST_EPOCHS, FEWEST_BATCHES = 2, 3
"""Fewest points of a curve."""
BETWEEN = 36.0


def epochs_chart(configurations: Sequence[Configuration], width: float) -> Drawing | None:
    """Plot test accuracy and loss over epochs; None if no training has enough epochs."""
    found = [training for training in trainings(configurations) if len(training.epochs) >= FEWEST_EPOCHS]
    if not found:
        return None
    each = (width - BETWEEN) / 2
    shown = found[:MOST_LINES]
    plots = [
        Plot(
            title=f"test {what}",
            over="epoch",
            lines=tuple(_learning(shown, what)),
            written=written,
            most=most,
        )
        for what, written, most in (("accuracy", _percents, 1.0), ("loss", axis_labels, math.inf))
    ]
    drawn = [line_plot(plot, each) for plot in plots if plot.points]
    beside = Drawing(
        max(block.height for block in drawn),
        tuple(group(block.elements, number * (each + BETWEEN)) for number, block in enumerate(drawn)),
    )
    names = [f"{training.label}: {_last(training)}" for training in shown]
    dotted = [_dotted()] if len(shown) <= MOST_WITH_TRAINING else []
    left_out = [_left_out(len(found) - MOST_LINES, width)] if len(found) > MOST_LINES else []
    return stack([beside, legend([*_entries(names), *dotted], width), *left_out], 4)


def batch_chart(found: Sequence[Result], width: float) -> Drawing | None:
    """Plot throughput over the batch per device; None if too few batch sizes were measured."""
    curves = dict(_by_batch(found))
    if not curves:
        return None
    names = list(curves)[:MOST_LINES]
    batches = sorted({float(result.batch_per_device) for name in names for result in curves[name]})
    lines = [
        Line(number=number, points=tuple(_point(result) for result in curves[name]))
        for number, name in enumerate(names)
    ]
    plot = Plot(
        title=f"{unit_of(found)}/s",
        over="batch per device",
        lines=tuple(lines),
        at=tuple(batches),
        from_zero=True,
    )
    left_out = [_left_out(len(curves) - MOST_LINES, width)] if len(curves) > MOST_LINES else []
    return stack([line_plot(plot, width), legend(list(_entries(names)), width), *left_out], 4)


def _learning(shown: Sequence[EvaluatedTraining], what: str) -> Iterator[Line]:
    if len(shown) <= MOST_WITH_TRAINING:
        for number, training in enumerate(shown):
            yield Line(number=number, points=_points(training, f"train_{what}"), training=True)
    for number, training in enumerate(shown):
        yield Line(number=number, points=_points(training, f"test_{what}"))


def _points(training: EvaluatedTraining, field: str) -> tuple[Point, ...]:
    return tuple(Point(epoch, value) for epoch, value in training.curve(field))


def _last(training: EvaluatedTraining) -> str:
    accuracy, loss = (training.curve(field)[-1][1] for field in ("test_accuracy", "test_loss"))
    if accuracy is not None:
        return percent(accuracy)
    return "loss not finite" if loss is None else f"loss {loss:.3g}"


def _percents(values: Sequence[float]) -> list[str]:
    return [f"{100 * value:.10g}%" for value in values]


def _by_batch(found: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    """Yield name and results of each group that differs in batch size only, by increasing batch."""
    several = len({result.workload for result in found}) > 1
    alike: dict[str, list[Result]] = {}
    for result in found:
        if result.throughput is not None and result.mode != "concurrent":
            name = f"{result.mode} x{result.devices}" + (f", {result.workload}" if several else "")
            name += f", {settings_text(result.varied)}" if result.varied else ""
            alike.setdefault(name, []).append(result)
    for name, each in alike.items():
        if len({result.batch_per_device for result in each}) >= FEWEST_BATCHES:
            yield name, sorted(each, key=lambda result: result.batch_per_device)


def _point(result: Result) -> Point:
    return Point(float(result.batch_per_device), result.throughput, result.interval)


def _entries(names: Sequence[str]) -> Iterator[LegendEntry]:
    for number, name in enumerate(names):
        stroke = element("path", d=f"M0 0H{SAMPLE:g}", class_=f"line line-{number % len(SERIES)}")
        yield LegendEntry(name, stroke + mark(number, SAMPLE / 2))


def _dotted() -> LegendEntry:
    return LegendEntry(
        "dotted: training", element("path", d=f"M0 0H{SAMPLE:g}", class_="line whisker training")
    )


def _left_out(count: int, width: float) -> Drawing:
    return paragraph(f"The report has {count} more.", "muted small", SMALL, width)
