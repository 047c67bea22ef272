"""Projections to more devices as a table with notes, marked as projected."""

from __future__ import annotations

from textual.content import Content

from ...engine.analysis.analysis import Analysis
from ...engine.analysis.report.projection import projection_columns, projection_notes
from ...engine.text.tables import TextColumn
from .drawing.grid import GridColumn, grid, wrapped


def projection_table(analysis: Analysis, is_over: bool, width: int) -> Content:
    """Return the table of projected runs with its notes; or why there is none.

    `is_over`: whether the session has ended.
    """
    found = analysis.projections
    if not found:
        return wrapped(_why_nothing(is_over), width, "$muted")
    columns = projection_columns(found)
    blocks = [grid(list(map(_projected_column, columns)), width)] if columns[0].cells else []
    blocks += [wrapped(note, width) for note in projection_notes(found)]
    return Content("\n").join(blocks)


def _why_nothing(is_over: bool) -> str:
    if not is_over:
        return "More devices are projected once the session has ended."
    return "Nothing to project from: no run of ddp or fsdp on several devices was measured."


def _projected_column(column: TextColumn) -> GridColumn:
    return GridColumn(column.title, list(map(Content, column.cells)), column.importance, column.is_text)
