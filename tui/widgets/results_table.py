"""The speedup table in colour, as many columns as there is room for, and what must be said beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.content import Content

from ...engine.analysis.columns import Column, cell, columns, has_figures, remarks, side_by_side
from ...engine.analysis.results import Result
from ...engine.analysis.units import ratio
from .grid import GridColumn, grid, wrapped
from .plan_list import SIGNS


def results_table(found: Sequence[Result], width: int) -> Content:
    """The table within `width` cells where possible; the least important columns go first."""
    if not found:
        return Content.styled("no runs yet", "$muted")
    first, *others = _with_interval(columns(found), found)
    signed = [_sign(result) + _shown(first, result) for result in found]
    return grid(
        [
            GridColumn(f"  {first.title}", signed, first.importance, is_text=True),
            *(_grid_column(column, found) for column in others),
        ],
        width,
    )


def _with_interval(shown: Sequence[Column], found: Sequence[Result]) -> Iterator[Column]:
    known = any(result.speedup_interval is not None for result in found)
    for column in shown:
        yield column
        if column.title == "speedup" and known:
            yield Column(title="95% of speedup", cell=_speedup_interval, importance=3)


def _speedup_interval(result: Result) -> str:
    if result.speedup_interval is None:
        return ""
    low, high = result.speedup_interval
    return f"{ratio(low)} to {ratio(high)}"


def _grid_column(column: Column, found: Sequence[Result]) -> GridColumn:
    cells = [_shown(column, result) for result in found]
    return GridColumn(column.title, cells, column.importance, column.is_text)


def _shown(column: Column, result: Result) -> Content:
    emphasis = "bold $text-primary" if column.title == "speedup" else ""
    return Content.styled(cell(column, result), emphasis if has_figures(result) else "$muted")


def _sign(result: Result) -> Content:
    sign, style = SIGNS[result.state]
    return Content.styled(f"{sign} ", style)


def said_beside(found: Sequence[Result], width: int) -> Content:
    """Reasons, notes, and the parts of runs side by side: a paragraph each, named after the run."""
    said = []
    for result in found:
        style = "$text-error" if result.state == "failed" else "$text-warning"
        lead = f"{result.label}: "
        said += [wrapped(text, width, style, lead=lead) for text in remarks(result)]
        said += [wrapped(text, width, lead=lead) for text in side_by_side(result)]
    return Content("\n").join(said)
