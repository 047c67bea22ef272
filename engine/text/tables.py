"""Tables that fit a width, whatever it is: the one rule for what gives way where space is short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

GAPS = ("   ", "  ", " ")


class Fitted(Protocol):
    """A column as far as fitting is concerned."""

    @property
    def importance(self) -> int:
        """The least important column goes first; 0 never goes."""

    @property
    def width(self) -> int:
        """Cells that its widest text takes."""


C = TypeVar("C", bound=Fitted)


def fit_columns(columns: Sequence[C], width: int) -> tuple[list[C], str]:
    """The columns within `width` cells and the gap between them: narrower gaps before fewer columns."""
    shown = list(columns)
    while True:
        cells = sum(column.width for column in shown)
        for gap in GAPS:
            if cells + len(gap) * (len(shown) - 1) <= width:
                return shown, gap
        least = max(shown, key=lambda column: column.importance)
        if not least.importance:
            return shown, GAPS[-1]
        shown = [column for column in shown if column is not least]


class TextColumn(NamedTuple):
    """A column of plain texts: its title, a cell a row."""

    title: str
    cells: Sequence[str]
    importance: int = 0
    is_text: bool = False
    """Aligned left."""

    @property
    def width(self) -> int:
        """Cells that its widest text takes."""
        return max(map(len, (self.title, *self.cells)))


def text_table(columns: Sequence[TextColumn], width: int) -> list[str]:
    """The lines of the table, its titles first, within `width` cells where possible."""
    shown, gap = fit_columns(columns, width)
    rows = zip(*((column.title, *column.cells) for column in shown), strict=True)
    return [gap.join(map(_justified, row, shown)).rstrip() for row in rows]


def _justified(text: str, column: TextColumn) -> str:
    return text.ljust(column.width) if column.is_text else text.rjust(column.width)
