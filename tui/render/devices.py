"""Device utilisation: arithmetic, energy and memory of each run."""

from __future__ import annotations

from textual.content import Content

from ...engine.analysis.analysis import Analysis
from ...engine.analysis.report.devices import COLUMNS
from ...engine.text.units import NOT_AVAILABLE
from .drawing.grid import grid, text_columns, wrapped
from .phases import why_none

IMPORTANCE = {
    "samples per J": 7,
    "by datasheet": 6,
    "reserved, GiB": 5,
    "GFLOP per step": 4,
    "allocator retries": 3,
    "peak measured": 2,
    "allocated, GiB": 1,
}
"""Importance of the columns that may be left out."""


def devices_table(analysis: Analysis, is_over: bool, width: int) -> Content:
    """Return a row per run, with the columns in which any run has a figure; or why there are none.

    `is_over`: whether the session has ended.
    """
    found = [(result.label, result.compute) for result in analysis.results if result.compute is not None]
    shown = [title for title, cell in COLUMNS.items() if any(cell(c) != NOT_AVAILABLE for _, c in found)]
    if not shown:
        return wrapped(why_none(analysis.session, is_over), width, "$muted")
    rows = [[label, *(COLUMNS[title](c) for title in shown)] for label, c in found]
    importance = [0, *(IMPORTANCE.get(title, 0) for title in shown)]
    return grid(text_columns(["run", *shown], rows, importance, left=["run"]), width)
