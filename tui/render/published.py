"""Figures published by others, on their hardware, beside those of the session."""

from __future__ import annotations

from itertools import groupby

from textual.content import Content

from ...engine.analysis.analysis import Analysis
from ...engine.analysis.report.published import PUBLISHED_LEFT, PUBLISHED_TITLES, beside, cells
from .drawing.grid import grid, text_columns, wrapped

PUBLISHED_IMPORTANCE = (0, 0, 0, 0, 1)


def published_figures(analysis: Analysis, width: int) -> Content:
    """Return a table per study, with its hardware and notes; nothing where the preset names none."""
    notes = {study.source: study.note for study in analysis.session.plan.published}
    blocks = []
    rows = beside(analysis)
    for (source, hardware), of_study in groupby(rows, key=lambda row: (row.source, row.hardware)):
        blocks.append(wrapped(f"{source}, published, on {hardware}:", width, "bold"))
        table = [cells(row) for row in of_study]
        blocks.append(
            grid(text_columns(PUBLISHED_TITLES, table, PUBLISHED_IMPORTANCE, left=PUBLISHED_LEFT), width)
        )
        if notes[source]:
            blocks.append(wrapped(" ".join(notes[source].split()), width, "$muted"))
    return Content("\n").join(blocks)
