"""Tables that fit a given width; the single rule for which columns are dropped when space is short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from .plain import unbroken

GAPS = ("   ", "  ", " ")


class Fitted(Protocol):
    """A column as seen by `fit_columns`."""

    @property
    def importance(self) -> int:
        """Rank of the column; the highest number is dropped first, 0 never."""

    @property
    def width(self) -> int:
        """Width of the widest text, in cells."""


C = TypeVar("C", bound=Fitted)


def fit_columns(columns: Sequence[C], width: int) -> tuple[list[C], str]:
    """Return the columns that fit `width` cells and the gap between them.

    Gaps are narrowed before columns are dropped.
    """
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
    """A column of plain text: title and one cell for each row."""

    title: str
    cells: Sequence[str]
    importance: int = 0
    is_text: bool = False
    """Whether the column is left-aligned."""

    @property
    def width(self) -> int:
        """Width of the widest text, in cells."""
        return max(map(len, (self.title, *self.cells)))


def text_table(columns: Sequence[TextColumn], width: int) -> list[str]:
    """Return the lines of the table, titles first, within `width` cells where possible."""
    columns = [column._replace(cells=list(map(unbroken, column.cells))) for column in columns]
    shown, gap = fit_columns(columns, width)
    rows = zip(*((column.title, *column.cells) for column in shown), strict=True)
    return [gap.join(map(_justified, row, shown)).rstrip() for row in rows]


def _justified(text: str, column: TextColumn) -> str:
    return text.ljust(column.width) if column.is_text else text.rjust(column.width)
