"""Tables and paragraphs that fit a given width."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content
from textual.style import Style

from ....engine.text.plain import LEAST_KEPT, cut_at_word, unbroken
from ....engine.text.tables import fit_columns

StyledText = tuple[str, str]
"""A text and its style."""


class GridColumn(NamedTuple):
    """One column of a table."""

    title: str
    cells: Sequence[Content]
    """One cell per row."""
    importance: int = 0
    """Rank among the columns left out where space is short: the lowest first, 0 never."""
    is_text: bool = False
    """Whether the column is aligned left."""
    key: str = ""
    """Value of `column` in the title's style meta, for clicks; empty if a click means nothing."""

    @property
    def width(self) -> int:
        """Return the width in cells of the widest text."""
        return max(len(self.title), *(cell.cell_length for cell in self.cells))


def grid(columns: Sequence[GridColumn], width: int) -> Content:
    """Return the table within `width` cells where possible, with narrower gaps before fewer columns."""
    columns = [column._replace(cells=list(map(_on_one_line, column.cells))) for column in columns]
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
    """Return columns of plain text; those whose title is in `left` are aligned left."""
    cells = zip(*rows, strict=True)
    return [
        GridColumn(title, list(map(Content, column)), weight, title in left)
        for title, column, weight in zip(titles, cells, importance, strict=True)
    ]


def wrapped(text: str, width: int, style: str = "", indent: int = 0, lead: str = "") -> Content:
    """Return a paragraph of `width` cells with a hanging indent of two; `lead` is left unstyled."""
    lines = textwrap.wrap(
        lead + text,
        max(20, width),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_on_hyphens=False,
    )
    content = Content("\n".join(lines))
    return content.stylize(style, indent + len(lead)) if style else content


def shortened(text: str, width: int) -> str:
    """Return the text in one line of at most `width` cells, cut after a word where it is longer."""
    return cut_at_word(unbroken(text), width) if width > 1 else unbroken(text)[: max(0, width)]


def cut_line(line: Content, width: int) -> Content:
    """Return a styled line of at most `width` cells, cut after a word where it is longer."""
    if line.cell_length <= width:
        return line
    cut = line.truncate(width - 1)
    if line.plain[len(cut.plain)].isalnum():
        word = cut.plain.rfind(" ")
        cut = cut[:word] if word > width * LEAST_KEPT else cut
    return cut.rstrip() + "…"


def _on_one_line(cell: Content) -> Content:
    return cell if cell.plain.isprintable() else Content(unbroken(cell.plain))


def _title(column: GridColumn) -> Content:
    title = Content(column.title)
    return title.stylize(Style.from_meta({"column": column.key})) if column.key else title


def _justified(cell: Content, column: GridColumn) -> Content:
    space = " " * (column.width - cell.cell_length)
    return cell + space if column.is_text else Content(space) + cell
