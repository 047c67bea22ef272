"""What is drawn of a session, line by line, without an app."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gpubench_tui.engine.analysis.analysis import Analysis, analyse
from gpubench_tui.engine.record.session import Session
from textual.content import Content

Part = Callable[[Analysis, bool, int], Content]
"""Draws a part of the results page: the analysis, whether the session is over, the width."""


def lines_of(content: Content) -> list[str]:
    """Return the lines of a widget's content."""
    return content.plain.split("\n")


def shown(part: Part, state: Session, width: int = 118, over: bool = True) -> list[str]:
    """Return the lines of that part of a session's results."""
    return lines_of(part(analyse(state), over, width))


def row(lines: Sequence[str], start: str) -> str:
    """Return the first line that begins so, its spaces collapsed."""
    return " ".join(next(line for line in lines if line.startswith(start)).split())
