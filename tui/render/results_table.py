"""The table of results in colour, with as many columns as fit, sorted as the user wishes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from textual.content import Content

from ...engine.analysis.report.columns import (
    EFFICIENCY,
    SPEEDUP,
    Column,
    cell,
    has_figures,
    ordered,
    remarks,
    result_columns,
    side_by_side,
)
from ...engine.analysis.results.result import Result
from ...engine.text.grouping import group_labels
from .drawing.grid import GridColumn, grid, wrapped
from .monitor.plan import RUN_SIGNS


class SortOrder(NamedTuple):
    """Order of the rows: by the column of that title, or the order of the plan if it is empty."""

    column: str = ""
    backwards: bool = False

    def next(self, results: Sequence[Result]) -> SortOrder:
        """Return the order by the next column; after the last, the order of the plan."""
        titles = ["", *(column.title for column in result_columns(results))]
        place = titles.index(self.column) if self.column in titles else -1
        return SortOrder(titles[(place + 1) % len(titles)])

    def by(self, column: str) -> SortOrder:
        """Return the order by that column, reversed if it is already the current one."""
        return SortOrder(column, not self.backwards if column == self.column else False)

    def of(self, results: Sequence[Result]) -> list[Result]:
        """Return the results in this order."""
        for column in result_columns(results):
            if column.title == self.column:
                return ordered(results, column, self.backwards)
        return list(results)


def results_table(results: Sequence[Result], width: int, order: SortOrder | None = None) -> Content:
    """Return the table within `width` cells where possible, leaving out the least important columns."""
    if not results:
        return Content.styled("no runs yet", "$muted")
    order = order or SortOrder()
    rows = order.of(results)
    return grid(
        [_grid_column(place, column, rows, order) for place, column in enumerate(result_columns(results))],
        width,
    )


def _grid_column(place: int, column: Column, rows: Sequence[Result], order: SortOrder) -> GridColumn:
    cells = [_shown(column, result) for result in rows]
    title, importance = column.title, column.importance
    if title == order.column:
        # The column that the rows are sorted by stays visible.
        title, importance = f"{title} {'▲' if order.backwards != column.is_text else '▼'}", 0
    if place == 0:
        title, cells = f"  {title}", [_sign(result) + text for result, text in zip(rows, cells, strict=True)]
    return GridColumn(title, cells, importance, column.is_text, key=column.title)


def _shown(column: Column, result: Result) -> Content:
    text = cell(column, result)
    if column is EFFICIENCY and text and result.baseline == result.run:
        return Content.styled("baseline", "$text-accent")
    emphasis = "bold $text-primary" if column is SPEEDUP else ""
    return Content.styled(text, emphasis if has_figures(result) else "$muted")


def _sign(result: Result) -> Content:
    sign, style = RUN_SIGNS[result.state]
    return Content.styled(f"{sign} ", style)


def results_remarks(results: Sequence[Result], folder: Path, width: int, headline: str = "") -> Content:
    """Return failures, notes and the parts of concurrent runs: a paragraph each, headed by the runs.

    `folder`: the session's folder, named if a failure refers to a log in it; `headline`: the sentence above
    the table, which is not said again.
    """
    failures = {text for result in results if result.state == "failed" for text in remarks(result)}
    paragraphs = []
    remarked = ((result.label, text) for result in results for text in remarks(result, headline))
    for whose, text in group_labels(remarked):
        style = "$text-error" if text in failures else "$text-warning"
        paragraphs.append(wrapped(text, width, style, lead=f"{whose}: "))
    for result in results:
        paragraphs += [wrapped(text, width, lead=f"{result.label}: ") for text in side_by_side(result)]
    if any(result.failure is not None and result.failure.log for result in results):
        paragraphs.append(wrapped(str(folder), width, "bold", lead="Session folder: "))
    return Content("\n").join(paragraphs)
