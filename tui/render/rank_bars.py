"""How long each rank takes for a step: a bar a rank, the one that straggles marked."""

from __future__ import annotations

from textual.content import Content

from ...engine.analysis.diagnosis.stragglers import Paces
from ...engine.text.units import duration, percent
from .gpu_strip import bar

NARROWEST = 17
"""Cells that a rank needs: its number, its time, and a bar."""
LABEL, TIME = 3, 8


def rank_title(paces: Paces) -> str:
    """Who straggles, and by how much."""
    if paces.straggler is None:
        return "Step of each rank"
    seconds = duration(paces.seconds[paces.straggler])
    return f"Rank {paces.straggler} straggles by {percent(paces.behind)}: {seconds} a step"


def rank_bars(paces: Paces, width: int, height: int) -> Content:
    """A bar a rank within `width` cells; several side by side where `height` lines are too few."""
    ranks = sorted(paces.seconds)
    most = max(1, (width + 2) // (NARROWEST + 2))
    abreast = min(most, -(-len(ranks) // max(1, height)))
    cell = (width - 2 * (abreast - 1)) // abreast
    bars = [_bar(paces, rank, cell) for rank in ranks]
    rows = -(-len(bars) // abreast)
    return Content("\n").join([Content("  ").join(bars[row::rows]) for row in range(rows)])


def _bar(paces: Paces, rank: int, width: int) -> Content:
    seconds, longest = paces.seconds[rank], max(paces.seconds.values())
    straggles = rank == paces.straggler
    cells = max(1, width - LABEL - TIME - 3)
    drawn = bar(seconds / longest if longest else 0.0, cells)
    style = "$text-warning" if straggles else "$primary"
    mark = "!" if straggles else " "
    return Content.assemble(
        f"{rank:>{LABEL - 1}}", (mark, style), f"{duration(seconds):>{TIME}} ", (drawn, style), " "
    )
