"""The results table as plain text that fits a terminal."""

from __future__ import annotations

import textwrap

from ..record.session import Session
from .columns import Column, cell, columns, remarks, side_by_side
from .environment import hardware
from .results import Result, results

GAP = "  "


def table(session: Session, width: int) -> str:
    """The results in at most `width` columns where that is possible: the least important columns go first."""
    found = results(session)
    lines = [line for text in (session.plan.title, hardware(session)) for line in textwrap.wrap(text, width)]
    lines += ["", *_grid(found, width)]
    said = [line for result in found for line in _said_of(result, width)]
    if said:
        lines += ["", *said]
    return "\n".join(lines)


def _grid(found: list[Result], width: int) -> list[str]:
    shown = columns(found)
    rows = _rows(shown, found)
    while _width(rows) > width and any(column.importance for column in shown):
        least = max(shown, key=lambda column: column.importance)
        shown = [column for column in shown if column is not least]
        rows = _rows(shown, found)
    widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
    return [_line(row, shown, widths) for row in rows]


def _rows(shown: list[Column], found: list[Result]) -> list[list[str]]:
    titles = [column.title for column in shown]
    return [titles, *([cell(column, result) for column in shown] for result in found)]


def _width(rows: list[list[str]]) -> int:
    widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _line(row: list[str], shown: list[Column], widths: list[int]) -> str:
    texts = (
        text.ljust(width) if column.is_text else text.rjust(width)
        for text, column, width in zip(row, shown, widths, strict=True)
    )
    return GAP.join(texts).rstrip()


def _said_of(result: Result, width: int) -> list[str]:
    lines = []
    for text in [*remarks(result), *side_by_side(result)]:
        lines += textwrap.wrap(f"{result.label}: {text}", max(width, 20), subsequent_indent=GAP)
    return lines
