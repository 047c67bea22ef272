"""The two plots of a run: its throughput over time and its loss over steps."""

from __future__ import annotations

from typing import NamedTuple

from textual.content import Content

from ...engine.analysis.summary import run_summary
from ...engine.analysis.units import clock, number
from ...engine.record.series import Bucket
from ...engine.record.session import RunState
from .plots import Axes, Curve, curve, plot

AXIS_CELLS = 10
"""About what the labels of the y axis take."""


class Drawn(NamedTuple):
    """A plot with what stands above it."""

    title: str
    content: Content


def throughput_plot(run: RunState | None, width: int, height: int, unicode: bool) -> Drawn:
    """Live samples/s of all ranks since the run started, and the median over its windows as a line."""
    if run is None or run.started_at is None:
        return Drawn("Samples/s", Content.styled("no run yet", "$muted"))
    started = run.started_at
    median = run_summary(run).throughput
    axes = Axes(x_label=lambda x: clock(x - started), y_label=_short, x_from=started, x_to=started + 10)
    content = plot([curve(run.throughput, width - AXIS_CELLS)], median, axes, width, height, unicode)
    measured = f", median {number(median)}" if median is not None else ""
    return Drawn(f"Samples/s: live {number(run.throughput.last)}{measured}", content)


def loss_plot(run: RunState | None, width: int, height: int, unicode: bool) -> Drawn:
    """Training loss of rank 0 over steps; where epochs were evaluated, the test loss beside it."""
    if run is None:
        return Drawn("Loss", Content.styled("no run yet", "$muted"))
    axes = Axes(x_label=_short, y_label=number)
    curves = [curve(run.loss, width - AXIS_CELLS)]
    tested = _test_loss(run)
    content = plot([*curves, tested] if tested.buckets else curves, None, axes, width, height, unicode)
    last = run.evaluations[0][-1] if run.evaluations.get(0) else None
    measured = f", test {number(last.test_loss)}" if last is not None else ""
    return Drawn(f"Loss over steps: {number(run.loss.last)}{measured}", content)


def _test_loss(run: RunState) -> Curve:
    steps = run.ranks[0].steps_per_epoch if 0 in run.ranks else None
    if not steps:
        return Curve([], 2)
    points = [
        (one.epoch * steps, one.test_loss) for one in run.evaluations.get(0, ()) if one.test_loss is not None
    ]
    return Curve([Bucket(x, loss, loss, loss, 1) for x, loss in points[-200:]], 2)


def _short(value: float) -> str:
    """A number for an axis: `12.5k`, `850`, `0.25`."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.4g}{unit}"
    return f"{value:.3g}"
