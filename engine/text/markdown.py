"""The parts of a Markdown page: sections, tables and text blocks, legible as source too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def section(title: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a section; nothing if it would be empty."""
    if lines:
        yield from (f"## {title}", "", *lines, "")


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
    return one_line(text).replace("|", "\\|")


def one_line(text: str) -> str:
    """Return text on one line, safe to embed in a page."""
    return " ".join(text.split()).replace("<", "&lt;")


def block(lines: Iterable[str]) -> list[str]:
    """Return lines fenced as preformatted text."""
    return ["```text", *(line.rstrip() for line in lines), "```"]
