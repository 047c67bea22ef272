"""The speedup table in colour, as many columns as there is room for, and what must be said beside it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from ...engine.analysis.columns import Column, cell, columns, has_figures, remarks, side_by_side
from ...engine.analysis.results import Result
from .plan_list import SIGNS

SIGN_WIDTH = 2


def results_table(found: Sequence[Result], width: int) -> Content:
    """The table within `width` cells where possible; the least important columns go first."""
    if not found:
        return Content.styled("no runs yet", "$muted")
    shown, gap = _fitting(columns(found), found, width)
    widths = [_width(column, found) for column in shown]
    titles = gap.join(
        _justify(column, column.title, size) for column, size in zip(shown, widths, strict=True)
    )
    lines = [Content.styled(" " * SIGN_WIDTH + titles, "bold $muted")]
    lines += [_row(result, shown, widths, gap) for result in found]
    return Content("\n").join(lines)


def _fitting(shown: list[Column], found: Sequence[Result], width: int) -> tuple[list[Column], str]:
    """The columns that fit, and the gap between them: narrower gaps before fewer columns."""
    while True:
        cells = SIGN_WIDTH + sum(_width(column, found) for column in shown)
        for gap in ("   ", "  ", " "):
            if cells + len(gap) * (len(shown) - 1) <= width:
                return shown, gap
        least = max(shown, key=lambda column: column.importance)
        if not least.importance:
            return shown, " "
        shown = [column for column in shown if column is not least]


def _width(column: Column, found: Sequence[Result]) -> int:
    return max(len(column.title), *(len(cell(column, result)) for result in found))


def _justify(column: Column, text: str, width: int) -> str:
    return text.ljust(width) if column.is_text else text.rjust(width)


def _row(result: Result, shown: Sequence[Column], widths: Sequence[int], gap: str) -> Content:
    sign, style = SIGNS[result.state]
    cells = []
    for column, width in zip(shown, widths, strict=True):
        emphasis = "bold $text-primary" if column.title == "speedup" else ""
        text = _justify(column, cell(column, result), width)
        cells.append(Content.styled(text, emphasis if has_figures(result) else "$muted"))
    return Content.styled(sign.ljust(SIGN_WIDTH), style) + Content(gap).join(cells)


def said_beside(found: Sequence[Result]) -> Content:
    """Reasons, notes, and the parts of runs side by side: a line each, named after the run."""
    lines = []
    for result in found:
        style = "$text-error" if result.state == "failed" else "$text-warning"
        lines += [Content.assemble(f"{result.label}: ", (text, style)) for text in remarks(result)]
        lines += [Content(f"{result.label}: {text}") for text in side_by_side(result)]
    return Content("\n").join(lines)
