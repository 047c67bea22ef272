"""A comparison of two sessions as plain text, Markdown or JSON.

JSON, `"schema": "gpubench-tui/compare"`, `"version": 1`: the fields of
`engine.analysis.compare.SessionComparison`. Throughputs are samples/s, ratios are b / a, an interval is
[low, high] of 95%; what is not available is null.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Literal

import msgspec

from .compare import Change, SessionComparison
from .page import one_line, section, table
from .units import number, ratio

VERSION = 1

CompareFormat = Literal["text", "md", "json"]

GAP = "  "
CAUTION = (
    "The intervals hold the noise within the sessions, not what changes from one session to the next on the "
    "same machine: with repeats they hold more of it."
)
ENVIRONMENT = "What differs between the machines and programs"
SETTINGS = "What differs in the runs' settings"
NOT_MATCHED = "Runs that only one session has"


def render_comparison(comparison: SessionComparison, form: CompareFormat, width: int = 100) -> str:
    """The comparison in that format, ending with a line break; `width` is for text."""
    if form == "json":
        return _json(comparison)
    return _markdown(comparison) if form == "md" else _text(comparison, width)


def _json(comparison: SessionComparison) -> str:
    document = {
        "schema": "gpubench-tui/compare",
        "version": VERSION,
        **msgspec.structs.asdict(comparison),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _markdown(comparison: SessionComparison) -> str:
    titles, rows = _table(comparison)
    left = {"run", "verdict"}
    lines = [
        f"# {comparison.b} against {comparison.a}",
        "",
        _who(comparison),
        "",
        *table(titles, rows, left),
        "",
    ]
    if reasons := [f"- {one_line(text)}" for text in _reasons(comparison)]:
        lines += [*reasons, ""]
    lines += [f"*{CAUTION}*", ""]
    differences = [(item.what, item.a, item.b) for item in comparison.environment]
    titles = ("what", "A", "B")
    lines += section(ENVIRONMENT, table(titles, differences, set(titles)))
    for title, texts in ((SETTINGS, _settings(comparison)), (NOT_MATCHED, _unmatched(comparison))):
        lines += section(title, [f"- {one_line(text)}" for text in texts])
    return "\n".join(lines).rstrip("\n") + "\n"


def _text(comparison: SessionComparison, width: int) -> str:
    titles, rows = _table(comparison)
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    lines = [_who(comparison), ""]
    lines += [_aligned(row, widths) for row in (titles, *rows)]
    parts = (
        ("", list(_reasons(comparison))),
        ("", [CAUTION]),
        (ENVIRONMENT, [f"{item.what}: {item.b} against {item.a}" for item in comparison.environment]),
        (SETTINGS, list(_settings(comparison))),
        (NOT_MATCHED, list(_unmatched(comparison))),
    )
    for title, texts in parts:
        if texts:
            lines += ["", *([f"{title}:"] if title else [])]
            lines += [line for text in texts for line in _wrapped(text, width, GAP if title else "")]
    return "\n".join(lines) + "\n"


def _who(comparison: SessionComparison) -> str:
    return f"A is {comparison.a}, B is {comparison.b}."


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    """The first and the last columns are text, those between are numbers."""
    first, *numbers, last = zip(row, widths, strict=True)
    texts = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in numbers), last[0]]
    return GAP.join(texts).rstrip()


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    hanging = indent * 2
    return textwrap.wrap(text, max(width, 20), initial_indent=indent, subsequent_indent=hanging)


def _table(comparison: SessionComparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    titles = ("run", "A, samples/s", "B, samples/s", "B / A", "95% of B / A", "verdict")
    return titles, [_row(change) for change in comparison.changes]


def _row(change: Change) -> tuple[str, ...]:
    interval = (
        "" if change.interval is None else f"{ratio(change.interval[0])} to {ratio(change.interval[1])}"
    )
    return (
        change.label,
        number(change.a),
        number(change.b),
        ratio(change.ratio),
        interval,
        change.verdict,
    )


def _reasons(comparison: SessionComparison) -> Iterator[str]:
    for change in comparison.changes:
        if change.reason:
            yield f"{change.label}: {change.verdict}: {change.reason}"


def _settings(comparison: SessionComparison) -> Iterator[str]:
    """Each difference once, with the runs that have it unless all do."""
    runs: dict[str, list[str]] = {}
    for change in comparison.changes:
        for text in change.differences:
            runs.setdefault(text, []).append(change.label)
    for text, labels in runs.items():
        everywhere = len(labels) == len(comparison.changes)
        yield text if everywhere else f"{text} ({'; '.join(labels)})"


def _unmatched(comparison: SessionComparison) -> Iterator[str]:
    for name, labels in ((comparison.a, comparison.only_a), (comparison.b, comparison.only_b)):
        if labels:
            yield f"only in {name}: {'; '.join(labels)}"
