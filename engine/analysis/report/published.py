"""Published figures beside the session's own: marked, and never mixed with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from ...plan.preset.preset import UNITS, Figure, Metric, Published
from ...plan.preset.vary import settings_text
from ...plan.workload.trainings import planned_unit
from ...text.markdown import markdown_table, one_line
from ...text.units import NOT_AVAILABLE, common_unit, count, in_unit, number, percent, ratio
from ..analysis import Analysis
from ..results.learning import TrainingOutcome
from ..results.result import Result
from .columns import has_figures

Own = tuple[float | None, str]
"""A figure of this session, and whether it was measured or derived, and from what."""

PUBLISHED_TITLES = ("run", "figure", "published", "here", "obtained")
"""Titles of the table whose rows `cells` returns."""
PUBLISHED_LEFT = ("run", "figure", "obtained")
"""Columns aligned left."""


class Beside(Struct, frozen=True, kw_only=True):
    """A published figure, beside this session's figure of one result if there is any."""

    source: str
    hardware: str
    metric: Metric
    what: str
    """Label of the run, or of the published figure."""
    published: float
    unit: str
    own: float | None = None
    own_run: str | None = None
    """Id of the result that the figure is compared with."""
    own_kind: str | None = None
    """`measured` or `derived`, and from what."""


def beside(analysis: Analysis) -> list[Beside]:
    """Return every published figure of the plan, once for each result it concerns, or once without any."""
    return [
        row
        for study in analysis.session.plan.published
        for figure in study.figures
        for row in _rows(analysis, study, figure)
    ]


def published_section(analysis: Analysis) -> Iterator[str]:
    """Yield the section: a table for each study, with its hardware and notes."""
    if not analysis.session.plan.published:
        return
    yield from (
        "## Published figures",
        "",
        "Published by others, on other hardware; this session's own figures are given beside them.",
        "",
    )
    for study in analysis.session.plan.published:
        rows = [row for figure in study.figures for row in _rows(analysis, study, figure)]
        yield from (f"**{one_line(study.source)}**, published, on {one_line(study.hardware)}:", "")
        yield from markdown_table(PUBLISHED_TITLES, map(cells, rows), left=PUBLISHED_LEFT)
        yield ""
        if study.note:
            yield from (one_line(study.note), "")


def _rows(analysis: Analysis, study: Published, figure: Figure) -> Iterator[Beside]:
    about = [spec.configuration or spec.id for spec in analysis.session.plan.runs_of(figure)]
    results = [result for result in analysis.results if result.run in about]
    shown: list[Result | None] = [*results] or [None]
    planned = [planned_unit(each) for spec in analysis.session.plan.runs for each in spec.workloads]
    for result in shown:
        value, kind = (None, "") if result is None else _own(result, figure)
        unit = result.unit if result is not None and has_figures(result) else common_unit(planned)
        yield Beside(
            source=study.source,
            hardware=study.hardware,
            metric=figure.metric,
            what=figure.label or (result.label if result is not None else _selected(figure)),
            published=figure.value,
            unit=in_unit(UNITS[figure.metric], unit),
            own=value,
            own_run=None if result is None else result.run,
            own_kind=None if value is None else kind,
        )


def _own(result: Result, figure: Figure) -> Own:
    """Return this session's figure of that kind; for concurrent runs, that of the workload alone."""
    part = next((part for part in result.parts if part.workload == figure.workload), None)
    if part is None:
        return _OF_RESULT[figure.metric](result)
    learnt = part.learnt
    of_part: dict[Metric, Own] = {
        "throughput": (part.side_by_side.throughput, "measured"),
        "training_seconds": (_training_seconds(learnt), "measured"),
        "epoch_seconds": (learnt.epoch_seconds if learnt else None, "measured"),
        "accuracy": (learnt.test_accuracy if learnt else None, "measured"),
        "best_accuracy": (learnt.best_accuracy if learnt else None, "measured"),
        "loss": (learnt.test_loss if learnt else None, "measured"),
        "memory": (_over(part.peak_memory_bytes, 1e9), "measured"),
    }
    return of_part.get(figure.metric, (None, ""))


def _epoch_seconds(result: Result) -> Own:
    if result.epoch_seconds is not None:
        return result.epoch_seconds, f"measured, {result.train_samples or 0:,} {result.unit}"
    if result.throughput is None or result.train_samples is None:
        return None, ""
    return (
        result.train_samples / result.throughput,
        f"derived, {result.train_samples:,} {result.unit} over {result.unit}/s",
    )


def _of_epoch(result: Result, step_seconds: float | None, what: str) -> Own:
    steps = result.steps_per_epoch
    if step_seconds is None or steps is None:
        return None, ""
    return steps * step_seconds, f"derived, {steps:,} steps an epoch times {what}"


def _communication_seconds(result: Result) -> Own:
    communication = result.communication
    return _of_epoch(
        result,
        communication.sync_cost.value if communication and communication.sync_cost else None,
        "the sync cost",
    )


def _compute_seconds(result: Result) -> Own:
    communication = result.communication
    if communication is None or communication.sync_cost is None or not communication.sync_share:
        return None, ""
    step = communication.sync_cost.value / communication.sync_share
    return _of_epoch(result, step - communication.sync_cost.value, "a step under no_sync")


def _training(result: Result) -> Own:
    if result.epochs is None or result.epoch_seconds is None:
        return None, ""
    return result.epochs * result.epoch_seconds, f"measured, {count(result.epochs, 'epoch')}"


def _training_seconds(learnt: TrainingOutcome | None) -> float | None:
    return None if learnt is None else learnt.epochs * learnt.epoch_seconds


def _over(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


_OF_RESULT: dict[Metric, Callable[[Result], Own]] = {
    "epoch_seconds": _epoch_seconds,
    "training_seconds": _training,
    "compute_seconds": _compute_seconds,
    "communication_seconds": _communication_seconds,
    "throughput": lambda result: (result.throughput, "measured"),
    "throughput_per_device": lambda result: (result.throughput_per_device, "measured"),
    "step_seconds": lambda result: (result.step_seconds, "measured"),
    "speedup": lambda result: (result.speedup, "derived"),
    "efficiency": lambda result: (result.efficiency, "derived"),
    "concurrency_gain": lambda result: (result.concurrency_gain, "derived"),
    "accuracy": lambda result: (result.test_accuracy, "measured"),
    "best_accuracy": lambda result: (result.best_accuracy, "measured"),
    "loss": lambda result: (result.test_loss, "measured"),
    "memory": lambda result: (_over(result.peak_memory_bytes, 1e9), "measured"),
    "bandwidth": lambda result: (
        _over(result.communication.busbw if result.communication else None, 1e9),
        "derived, busbw of the buckets",
    ),
    "bandwidth_utilization": lambda result: (
        result.communication.utilisation if result.communication else None,
        "derived, of what the same ranks reach",
    ),
}


def _selected(figure: Figure) -> str:
    """Return the figure's selection in words, for figures that match no run of the plan."""
    parts = [figure.mode or "", f"x{figure.devices}" if figure.devices else ""]
    named = [" ".join(part for part in parts if part)]
    named += [f"batch {figure.batch}"] if figure.batch else []
    named += [figure.workload] if figure.workload else []
    named += [settings_text(figure.vary)] if figure.vary else []
    return ", ".join(part for part in named if part)


def cells(row: Beside) -> tuple[str, ...]:
    """Return the texts of a table row: subject, figure, published value, own value, kind of the own value."""
    return (
        row.what,
        row.metric.replace("_", " "),
        _with_unit(row.published, row.unit),
        NOT_AVAILABLE if row.own is None else _with_unit(row.own, row.unit),
        row.own_kind or "",
    )


def _with_unit(value: float, unit: str) -> str:
    if unit == "share of 1":
        return percent(value)
    if unit == "×":
        return ratio(value)
    return f"{number(value)} {unit}".strip()
