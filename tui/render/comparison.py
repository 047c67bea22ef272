"""The comparison of sessions with a base session, as a table with notes."""

from __future__ import annotations

from textual.content import Content

from ...engine.analysis.sessions.compare import SessionsComparison
from ...engine.analysis.sessions.comparison_report import columns_within, sections
from ...engine.text.tables import TextColumn
from .drawing.grid import GridColumn, grid, wrapped

NOTHING_IN_COMMON = "These sessions have no run in common (same mode, devices, workload and batch)."
VERDICT_STYLES = {"better": "bold $text-success", "worse": "bold $text-error"}


def comparison_table(comparison: SessionsComparison, width: int) -> Content:
    """Return the table within `width` cells where possible; verdicts have their colour."""
    if not comparison.rows:
        return wrapped(NOTHING_IN_COMMON, width)
    return grid(list(map(_column, columns_within(comparison, width))), width)


def _column(column: TextColumn) -> GridColumn:
    cells = [Content.styled(cell, VERDICT_STYLES.get(cell.rpartition(" ")[2], "")) for cell in column.cells]
    return GridColumn(column.title, cells, is_text=column.is_text)


def comparison_notes(comparison: SessionsComparison, width: int) -> Content:
    """Return the notes below the table: a paragraph per section, titled."""
    parts = []
    for section in sections(comparison):
        lines = [wrapped(line, width, indent=2 if section.title else 0) for line in section.lines]
        title = [Content.styled(section.title, "bold $muted")] if section.title else []
        parts.append(Content("\n").join([*title, *lines]))
    return Content("\n\n").join(parts)
