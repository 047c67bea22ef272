"""Step time of each rank: a bar per rank, the straggler marked."""

from __future__ import annotations

from textual.content import Content

from ....engine.analysis.diagnosis.stragglers import Paces
from ....engine.text.units import duration, percent
from ..drawing.bars import column_width, filled_bar, in_columns

NARROWEST_RANK = 17
"""Cells needed by a rank: its number, its time, and a bar."""
LABEL_CELLS, TIME_CELLS = 3, 8


def rank_title(paces: Paces) -> str:
    """Return the straggler and its delay, if there is one."""
    if paces.straggler is None:
        return "Step time of each rank"
    return f"Straggler: rank {paces.straggler}, {percent(paces.behind)} slower"


def rank_bars(paces: Paces, width: int, height: int) -> Content:
    """Return a bar per rank within `width` cells, several side by side if `height` lines are too few."""
    ranks = sorted(paces.seconds)
    most = max(1, (width + 2) // (NARROWEST_RANK + 2))
    abreast = min(most, -(-len(ranks) // max(1, height)))
    cells = column_width(width, abreast)
    return in_columns([_rank_bar(paces, rank, cells) for rank in ranks], abreast)


def _rank_bar(paces: Paces, rank: int, width: int) -> Content:
    seconds, longest = paces.seconds[rank], max(paces.seconds.values())
    is_straggler = rank == paces.straggler
    cells = max(1, width - LABEL_CELLS - TIME_CELLS - 3)
    drawn = filled_bar(seconds / longest if longest else 0.0, cells)
    style = "$text-warning" if is_straggler else "$primary"
    mark = "!" if is_straggler else " "
    return Content.assemble(
        f"{rank:>{LABEL_CELLS - 1}}",
        (mark, style),
        f"{duration(seconds):>{TIME_CELLS}} ",
        (drawn, style),
        " ",
    )
