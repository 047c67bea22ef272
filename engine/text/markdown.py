"""The parts of a Markdown page: sections, tables and text blocks that read well as they are, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def section(title: str, lines: Sequence[str]) -> Iterator[str]:
    """A section, or nothing at all where there is nothing to say."""
    if lines:
        yield from (f"## {title}", "", *lines, "")


def markdown_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], left: Iterable[str] = ()
) -> list[str]:
    """A table whose source is aligned as well; none without rows."""
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
    """One line: what a program said must not break the page."""
    return " ".join(text.split()).replace("<", "&lt;")


def block(lines: Iterable[str]) -> list[str]:
    """Lines that keep their spaces."""
    return ["```text", *(line.rstrip() for line in lines), "```"]
