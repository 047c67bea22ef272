"""The results table as plain text that fits a terminal."""

from __future__ import annotations

import textwrap

from ..record.session import Session
from .columns import cell, columns, remarks, side_by_side
from .environment import hardware
from .fit import TextColumn, text_table
from .results import Result, results

INDENT = "  "


def table(session: Session, width: int) -> str:
    """The results in at most `width` columns where that is possible: the least important columns go first."""
    found = results(session)
    lines = [line for text in (session.plan.title, hardware(session)) for line in textwrap.wrap(text, width)]
    lines += ["", *text_table(_grid(found), width)]
    said = [line for result in found for line in _said_of(result, width)]
    if said:
        lines += ["", *said]
    return "\n".join(lines)


def _grid(found: list[Result]) -> list[TextColumn]:
    return [
        TextColumn(
            column.title, [cell(column, result) for result in found], column.importance, column.is_text
        )
        for column in columns(found)
    ]


def _said_of(result: Result, width: int) -> list[str]:
    lines = []
    for text in [*remarks(result), *side_by_side(result)]:
        lines += textwrap.wrap(f"{result.label}: {text}", max(width, 20), subsequent_indent=INDENT)
    return lines
