"""What a training learnt, epoch by epoch, and how steady each run was, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from textual.content import Content

from ...engine.analysis.results.configuration import configurations
from ...engine.analysis.results.throughput import throughputs
from ...engine.record.events import Evaluation
from ...engine.record.series import Bucket
from ...engine.record.session import Session
from ...engine.statistics import median
from ...engine.text.units import number, percent
from .grid import GridColumn, grid, wrapped
from .plot import CurvePlot, PlotAxes, PlotCurve, render_plot

PLOT_WIDTH, PLOT_HEIGHT = 76, 11
FEWEST_EPOCHS = 2
CURVES_A_PLOT = 4
MOST_TRAININGS = 8
LEAST_DEVIATION = 0.02
"""What a strip of windows shows at least, as a share of the median: noise shall not look like mountains."""
LEVELS = "▁▂▃▄▅▆▇█"
WIDEST_STRIP = 60


class Learning(NamedTuple):
    """What one training learnt."""

    label: str
    evaluations: Sequence[Evaluation]


def curves(session: Session, width: int, unicode: bool) -> Content:
    """Test accuracy and loss over epochs, then samples/s over windows; or that there is nothing yet."""
    trainings = list(_trainings(session))
    blocks = [
        _learnt(trainings[start : min(start + CURVES_A_PLOT, MOST_TRAININGS)], width, unicode)
        for start in range(0, min(len(trainings), MOST_TRAININGS), CURVES_A_PLOT)
    ]
    if len(trainings) > MOST_TRAININGS:
        rest = f"{len(trainings) - MOST_TRAININGS} more trainings have their curves in the saved report."
        blocks.append(wrapped(rest, width, "$muted"))
    strips = _strips(session, width)
    if strips is not None:
        blocks.append(strips)
    if not blocks:
        return wrapped("No run has measured two windows.", width, "$muted")
    return Content("\n\n").join(blocks)


def _trainings(session: Session) -> Iterator[Learning]:
    """One for each configuration, its first repeat that counts; of those side by side each."""
    for configuration in configurations(session):
        for run in configuration.usable[:1]:
            concurrent = run.spec.mode == "concurrent"
            # Ranks of one training evaluate the same model: the first of them speaks for all.
            ranks = sorted(run.evaluations) if concurrent else sorted(run.evaluations)[:1]
            for rank in ranks:
                whose = f", {run.spec.workload_of(rank).name}" if concurrent else ""
                if len(run.evaluations[rank]) >= FEWEST_EPOCHS:
                    yield Learning(configuration.label + whose, list(run.evaluations[rank]))


def _learnt(trainings: Sequence[Learning], width: int, unicode: bool) -> Content:
    """Both plots, beside each other where there is room, above the letters' meaning."""
    beside = width >= 2 * PLOT_WIDTH
    cells = min(PLOT_WIDTH, width)
    accuracy = _plot(trainings, "test accuracy over epochs", cells, unicode)
    loss = _plot(trainings, "test loss over epochs", cells, unicode)
    letters = [(letter, training.label) for letter, training in zip("abcd", trainings, strict=False)]
    legend = wrapped("  ".join(f"{letter} {name}" for letter, name in letters), width, "$muted")
    drawn = _beside(accuracy, loss, cells) if beside else Content("\n").join([accuracy, loss])
    return Content("\n").join([drawn, legend])


def _plot(trainings: Sequence[Learning], what: str, width: int, unicode: bool) -> Content:
    is_accuracy = "accuracy" in what
    lines = [
        PlotCurve(
            [
                Bucket(one.epoch, y, y, y, 1)
                for one in training.evaluations
                if (y := one.test_accuracy if is_accuracy else one.test_loss) is not None
            ],
            color,
            letter,
        )
        for color, (letter, training) in enumerate(zip("abcd", trainings, strict=False), start=1)
    ]
    last = max(training.evaluations[-1].epoch for training in trainings)
    axes = PlotAxes("{:.0f}".format, percent if is_accuracy else number, 1.0, max(2.0, last))
    drawn = render_plot(CurvePlot(lines, axes), width, PLOT_HEIGHT, unicode)
    return Content.styled(what, "bold $muted") + "\n" + drawn


def _beside(left: Content, right: Content, width: int) -> Content:
    pairs = zip(left.split("\n"), right.split("\n"), strict=False)
    return Content("\n").join([a.pad_right(max(0, width - a.cell_length)) + b for a, b in pairs])


def _strips(session: Session, width: int) -> Content | None:
    """A line a run: its windows from left to right, each as high as it is above or below the run's median."""
    found = [
        (configuration.label, list(throughputs(run.complete_windows)))
        for configuration in configurations(session)
        for run in configuration.usable[:1]
        if len(run.complete_windows) > 1
    ]
    if not found:
        return None
    relative = [[rate / median(rates) - 1 for rate in rates] for _, rates in found]
    span = max(LEAST_DEVIATION, *(abs(value) for values in relative for value in values))
    room = max(8, min(WIDEST_STRIP, width // 2))
    columns = [
        GridColumn("run", [Content(name) for name, _ in found], is_text=True),
        GridColumn(
            "samples/s, window by window", [_strip(one, span, room) for one in relative], is_text=True
        ),
        GridColumn("windows", [Content(str(len(rates))) for _, rates in found], 2),
        GridColumn("least", [Content(number(min(rates))) for _, rates in found], 1),
        GridColumn("greatest", [Content(number(max(rates))) for _, rates in found], 1),
    ]
    scale = f"A strip's height is from {percent(-span)} to +{percent(span)} of the run's median."
    return grid(columns, width) + "\n" + wrapped(scale, width, "$muted")


def _strip(values: Sequence[float], span: float, room: int) -> Content:
    """The values from -span to span, in at most `room` cells: what shares a cell shows its farthest."""
    cells = min(room, len(values))
    edges = [len(values) * cell // cells for cell in range(cells + 1)]
    shown = [max(values[a:b], key=abs) for a, b in pairwise(edges)]
    levels = [round((value + span) / (2 * span) * (len(LEVELS) - 1)) for value in shown]
    return Content.styled("".join(LEVELS[level] for level in levels), "$primary")
