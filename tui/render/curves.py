"""Test accuracy and loss over epochs, and the throughput of each run over its windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from textual.content import Content

from ...engine.analysis.analysis import Analysis
from ...engine.analysis.results.configuration import Configuration
from ...engine.analysis.results.learning import EvaluatedTraining, trainings
from ...engine.analysis.results.throughput import throughputs
from ...engine.record.series import Bucket
from ...engine.statistics import median
from ...engine.text.units import common_unit, number, percent
from .drawing.bars import BLOCKS
from .drawing.grid import GridColumn, grid, wrapped
from .drawing.plot import CurvePlot, PlotAxes, PlotCurve, render_plot

PLOT_WIDTH, PLOT_HEIGHT = 76, 11
FEWEST_EPOCHS = 2
EPOCH_STEPS = (1, 2, 5)
"""First distances between the numbers of epochs, which are whole."""
CURVES_A_PLOT = 4
MOST_TRAININGS = 8
LEAST_DEVIATION = 0.02
"""Smallest deviation from the median that fills a strip's height, so that noise does not look dramatic."""
WIDEST_STRIP = 60


def curves(analysis: Analysis, width: int, unicode: bool) -> Content:
    """Return test accuracy and loss over epochs, then throughput over windows; or that there are none yet."""
    found = [one for one in trainings(analysis.configurations) if len(one.epochs) >= FEWEST_EPOCHS]
    blocks = [
        _learnt(found[start : min(start + CURVES_A_PLOT, MOST_TRAININGS)], width, unicode)
        for start in range(0, min(len(found), MOST_TRAININGS), CURVES_A_PLOT)
    ]
    if len(found) > MOST_TRAININGS:
        rest = f"{len(found) - MOST_TRAININGS} more trainings: their curves are in the exported report."
        blocks.append(wrapped(rest, width, "$muted"))
    strips = _strips(analysis.configurations, width)
    if strips is not None:
        blocks.append(strips)
    if not blocks:
        return wrapped("No run has measured two windows yet.", width, "$muted")
    return Content("\n\n").join(blocks)


def _learnt(shown: Sequence[EvaluatedTraining], width: int, unicode: bool) -> Content:
    """Return both plots, side by side where there is room, above the legend."""
    beside = width >= 2 * PLOT_WIDTH
    cells = min(PLOT_WIDTH, width)
    scored = any(y is not None for training in shown for _, y in training.curve("test_accuracy"))
    accuracy = _plot(shown, "test accuracy over epochs", cells, unicode) if scored else None
    loss = _plot(shown, "test loss over epochs", cells, unicode)
    letters = [(letter, training.label) for letter, training in zip("abcd", shown, strict=False)]
    legend = wrapped("  ".join(f"{letter} {name}" for letter, name in letters), width, "$muted")
    if accuracy is None:
        drawn = loss
    else:
        drawn = _beside(accuracy, loss, cells) if beside else Content("\n").join([accuracy, loss])
    return Content("\n").join([drawn, legend])


def _plot(shown: Sequence[EvaluatedTraining], what: str, width: int, unicode: bool) -> Content:
    is_accuracy = "accuracy" in what
    lines = [
        PlotCurve(
            [
                Bucket(epoch, y, y, y, 1)
                for epoch, y in training.curve("test_accuracy" if is_accuracy else "test_loss")
                if y is not None
            ],
            color,
            letter,
        )
        for color, (letter, training) in enumerate(zip("abcd", shown, strict=False), start=1)
    ]
    last = max(max(training.epochs) for training in shown)
    limits = (0.0, 1.0) if is_accuracy else (-math.inf, math.inf)
    y_label = percent if is_accuracy else number
    axes = PlotAxes("{:.0f}".format, y_label, 1.0, max(2.0, last), EPOCH_STEPS, limits)
    drawn = render_plot(CurvePlot(lines, axes), width, PLOT_HEIGHT, unicode)
    return Content.styled(what, "bold $muted") + "\n" + drawn


def _beside(left: Content, right: Content, width: int) -> Content:
    pairs = zip(left.split("\n"), right.split("\n"), strict=False)
    return Content("\n").join([a.pad_right(max(0, width - a.cell_length)) + b for a, b in pairs])


def _strips(configurations: Sequence[Configuration], width: int) -> Content | None:
    """Return a line per run: its windows from left to right, their height the deviation from its median."""
    found = [
        (configuration.label, list(throughputs(run.complete_windows)))
        for configuration in configurations
        for run in configuration.usable[:1]
        if len(run.complete_windows) > 1
    ]
    if not found:
        return None
    unit = common_unit(
        run.unit
        for configuration in configurations
        for run in configuration.usable[:1]
        if run.complete_windows
    )
    relative = [[rate / median(rates) - 1 for rate in rates] for _, rates in found]
    span = max(LEAST_DEVIATION, *(abs(value) for values in relative for value in values))
    room = max(8, min(WIDEST_STRIP, width // 2))
    columns = [
        GridColumn("run", [Content(name) for name, _ in found], is_text=True),
        GridColumn(
            f"{unit}/s, window by window", [_strip(one, span, room) for one in relative], is_text=True
        ),
        GridColumn("windows", [Content(str(len(rates))) for _, rates in found], 2),
        GridColumn("lowest", [Content(number(min(rates))) for _, rates in found], 1),
        GridColumn("highest", [Content(number(max(rates))) for _, rates in found], 1),
    ]
    scale = f"Strips span ±{percent(span)} around the run's median."
    return grid(columns, width) + "\n" + wrapped(scale, width, "$muted")


def _strip(values: Sequence[float], span: float, room: int) -> Content:
    """Return the values, from -span to span, in at most `room` cells; the most extreme in a cell is shown."""
    cells = min(room, len(values))
    edges = [len(values) * cell // cells for cell in range(cells + 1)]
    shown = [max(values[a:b], key=abs) for a, b in pairwise(edges)]
    levels = [round((value + span) / (2 * span) * (len(BLOCKS) - 1)) for value in shown]
    return Content.styled("".join(BLOCKS[level] for level in levels), "$primary")
