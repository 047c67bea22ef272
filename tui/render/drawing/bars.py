"""Bars of block characters, and several of them side by side."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

BLOCKS = "▁▂▃▄▅▆▇█"
COLUMN_GAP = "  "


def block_cell(share: float) -> str:
    """Return a single cell filled from the bottom, for a share of 0 to 1."""
    return BLOCKS[min(len(BLOCKS) - 1, int(max(0.0, share) * len(BLOCKS)))]


def filled_bar(share: float, width: int) -> str:
    """Return a bar of `width` cells filled from the left, for a share of 0 to 1."""
    filled = round(min(1.0, max(0.0, share)) * width)
    return "█" * filled + "·" * (width - filled)


def column_width(width: int, abreast: int) -> int:
    """Return the cells of each of `abreast` columns with gaps between them in `width` cells."""
    return (width - len(COLUMN_GAP) * (abreast - 1)) // abreast


def lines_abreast(count: int, width: int, height: int, narrowest: int) -> int:
    """Return how many of `count` lines stand side by side: as few as fit the height, none too narrow."""
    for abreast in (1, 2, 4):
        if column_width(width, abreast) < narrowest:
            return max(1, abreast // 2)
        if -(-count // abreast) <= height:
            return abreast
    return 4


def in_columns(lines: Sequence[Content], abreast: int) -> Content:
    """Return the lines in at most `abreast` columns, filled from top to bottom."""
    rows = -(-len(lines) // abreast)
    return Content("\n").join([Content(COLUMN_GAP).join(lines[row::rows]) for row in range(rows)])
