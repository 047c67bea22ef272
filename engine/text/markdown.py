"""The parts of a Markdown page: sections, tables and text blocks, legible as source too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from .plain import plain

_ENTITIES = {"<": "&lt;", "&": "&amp;"}
_INLINE = re.compile(
    r"<|&(?=#?\w+;)|\\(?=[!-/:-@\[-`{-~])|\*|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])|~(?=~)|(?<=~)~"
)
"""Characters that mean something to Markdown within a line. Backticks stay, for commands in messages."""
_BLOCK_START = re.compile(r"^(\d*)(#|>|`{3}|~{3}|-{3}|={3}|[-+](?=\s|$)|(?<=\d)[.)](?=\s|$))")
"""Beginnings of headings, quotations, lists, rules and preformatted text."""


def section(title: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a section; nothing if it would be empty."""
    if lines:
        yield from (f"## {one_line(title)}", "", *lines, "")


def markdown_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], left: Iterable[str] = ()
) -> list[str]:
    """Return the lines of a table with aligned source; none without rows."""
    texts = [[_cell(text) for text in row] for row in rows]
    if not texts:
        return []
    widths = [max(3, *map(len, column)) for column in zip(titles, *texts, strict=True)]
    at_left = [title in left for title in titles]
    lines = [titles, list(map(_rule, widths, at_left)), *texts]
    return ["| " + " | ".join(map(_aligned, line, widths, at_left)) + " |" for line in lines]


def _rule(width: int, is_left: bool) -> str:
    dashes = "-" * (width - 1)
    return f":{dashes}" if is_left else f"{dashes}:"


def _aligned(text: str, width: int, is_left: bool) -> str:
    return text.ljust(width) if is_left else text.rjust(width)


def _cell(text: str) -> str:
    return _inline(text).replace("|", "\\|")


def one_line(text: str) -> str:
    """Return text on one line that a page shows as it is: no HTML, link, emphasis or block begins in it."""
    return _BLOCK_START.sub(r"\1\\\2", _inline(text))


def _inline(text: str) -> str:
    return _INLINE.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), plain(" ".join(text.split())))


def code_span(text: str) -> str:
    """Return text as a code span on one line."""
    text = plain(" ".join(text.split()))
    fence = "`" * (_longest_run(text) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def block(lines: Iterable[str]) -> list[str]:
    """Return lines fenced as preformatted text."""
    texts = [plain(line.rstrip()) for line in lines]
    fence = "`" * max(3, 1 + max(map(_longest_run, texts), default=0))
    return [f"{fence}text", *texts, fence]


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
