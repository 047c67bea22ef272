"""Device utilisation: arithmetic, energy and memory of each run."""

from __future__ import annotations

from textual.content import Content

from ...engine.analysis.analysis import Analysis
from ...engine.analysis.report.columns import unit_of
from ...engine.analysis.report.devices import utilisation
from ...engine.text.units import in_unit
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
    shown, rows = utilisation(analysis.results)
    if not shown:
        return wrapped(why_none(analysis.session, is_over), width, "$muted")
    titles = [in_unit(title, unit_of(analysis.results)) for title in shown]
    importance = [0, *(IMPORTANCE.get(title, 0) for title in shown)]
    return grid(text_columns(["run", *titles], rows, importance, left=["run"]), width)
