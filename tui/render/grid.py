"""Tables and paragraphs that fit a width, whatever it is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content
from textual.style import Style

from ...engine.text.tables import fit_columns


class GridColumn(NamedTuple):
    """One column of a table: its title, a cell a row, and how soon it is left out where space is short."""

    title: str
    cells: Sequence[Content]
    importance: int = 0
    """The least important column goes first; 0 never goes."""
    is_text: bool = False
    """Aligned left."""
    key: str = ""
    """What a click on the title finds as `column` in the style's meta; empty where it means nothing."""

    @property
    def width(self) -> int:
        """Cells that its widest text takes."""
        return max(len(self.title), *(cell.cell_length for cell in self.cells))


def grid(columns: Sequence[GridColumn], width: int) -> Content:
    """The table within `width` cells where possible: narrower gaps before fewer columns."""
    shown, gap = fit_columns(columns, width)
    titles = [_justified(_title(column), column) for column in shown]
    rows = zip(*(column.cells for column in shown), strict=True)
    return Content("\n").join(
        [
            Content(gap).join(titles).rstrip().stylize("bold $muted"),
            *(Content(gap).join(map(_justified, row, shown)).rstrip() for row in rows),
        ]
    )


def text_columns(
    titles: Sequence[str], rows: Sequence[Sequence[str]], importance: Sequence[int], left: Sequence[str]
) -> list[GridColumn]:
    """Columns of plain texts; `left` names those that are aligned left."""
    cells = zip(*rows, strict=True)
    return [
        GridColumn(title, list(map(Content, column)), weight, title in left)
        for title, column, weight in zip(titles, cells, importance, strict=True)
    ]


def wrapped(text: str, width: int, style: str = "", indent: int = 0, lead: str = "") -> Content:
    """A paragraph of `width` cells, all but its first line two cells further in; `lead` goes unstyled."""
    lines = textwrap.wrap(
        lead + text,
        max(20, width),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_on_hyphens=False,
    )
    content = Content("\n".join(lines))
    return content.stylize(style, indent + len(lead)) if style else content


def _title(column: GridColumn) -> Content:
    title = Content(column.title)
    return title.stylize(Style.from_meta({"column": column.key})) if column.key else title


def _justified(cell: Content, column: GridColumn) -> Content:
    space = " " * (column.width - cell.cell_length)
    return cell + space if column.is_text else Content(space) + cell
