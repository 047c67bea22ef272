"""A comparison of sessions as plain text, Markdown or JSON.

JSON, `"schema": "gpubench-tui/compare"`, `"version": 2`: `base`, the first session's name, and `sessions`,
for each of the others the fields of `engine.analysis.compare.SessionComparison`. Throughputs are samples/s,
ratios are b / a, an interval is [low, high] of 95%; what is not available is null.
"""

from __future__ import annotations

import textwrap
from typing import Literal

import msgspec

from ..text.markdown import one_line, section, table
from ..text.tables import text_table
from .sessions.compare import Comparison
from .sessions.comparison_report import columns, columns_within, names, sections

VERSION = 2

CompareFormat = Literal["text", "md", "json"]

INDENT = "  "


def render_comparison(comparison: Comparison, form: CompareFormat, width: int = 100) -> str:
    """The comparison in that format, ending with a line break; `width` is for text."""
    if form == "json":
        return _json(comparison)
    return _markdown(comparison) if form == "md" else _text(comparison, width)


def _json(comparison: Comparison) -> str:
    document = {
        "schema": "gpubench-tui/compare",
        "version": VERSION,
        "base": comparison.base,
        "sessions": comparison.sessions,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _markdown(comparison: Comparison) -> str:
    shown = columns(comparison)
    left = {column.title for column in shown if column.is_text}
    titles, rows = [column.title for column in shown], zip(*(column.cells for column in shown), strict=True)
    others = ", ".join(session.b for session in comparison.sessions)
    lines = [
        f"# {others} against {comparison.base}",
        "",
        _who(comparison),
        "",
        *table(titles, rows, left),
        "",
    ]
    for part in sections(comparison):
        texts = [f"- {one_line(text)}" for text in part.lines]
        lines += section(part.title, texts) if part.title else [*texts, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _text(comparison: Comparison, width: int) -> str:
    lines = [
        *textwrap.wrap(_who(comparison), max(width, 20)),
        "",
        *text_table(columns_within(comparison, width), width),
    ]
    for part in sections(comparison):
        lines += ["", *([f"{part.title}:"] if part.title else [])]
        lines += [line for text in part.lines for line in _wrapped(text, width, INDENT if part.title else "")]
    return "\n".join(lines) + "\n"


def _who(comparison: Comparison) -> str:
    return ", ".join(f"{letter} is {name}" for letter, name in names(comparison)) + "."


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    hanging = indent * 2
    return textwrap.wrap(text, max(width, 20), initial_indent=indent, subsequent_indent=hanging)
