"""The comparison of sessions as table columns and lines of text, which each format draws.

Sessions are named by letters: A is the base.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from msgspec import Struct

from ...text.encoding import json_document
from ...text.markdown import markdown_table, one_line, section
from ...text.tables import GAPS, TextColumn, text_table
from ...text.units import count, interval, number, percent, ratio
from .change import Change, Doubt
from .compare import PairComparison, SessionsComparison, differences_in_words
from .noise import FEWEST_SESSIONS, Noise

CompareFormat = Literal["text", "md", "json"]

VERSION = 2
"""Version of the JSON document."""
INDENT = "  "
UNCERTAIN = {"no difference": "", "too few windows": "?", "no figures": ""}
"""Suffix of a ratio that is neither better nor worse, if there is no verdict column."""
LEGEND = "After a ratio: better or worse if its 95% interval excludes 1; ? if it has no interval."


class Section(Struct, frozen=True):
    """Lines of text beside the table."""

    title: str
    lines: tuple[str, ...]


def letter(index: int) -> str:
    """Return the letter of a session in the table, 0 being the base."""
    return chr(ord("A") + index) if index < 26 else f"S{index + 1}"


def names(comparison: SessionsComparison) -> list[tuple[str, str]]:
    """Return letter and name of each session, the base first."""
    found = [comparison.base, *(session.b for session in comparison.sessions)]
    return [(letter(index), name) for index, name in enumerate(found)]


def comparison_columns(comparison: SessionsComparison) -> list[TextColumn]:
    """Return the columns of the table; with two sessions, the verdict has a column of its own."""
    rows, alone, unit = comparison.rows, len(comparison.sessions) == 1, comparison.unit
    found = [
        TextColumn("run", tuple(row.label for row in rows), is_text=True),
        TextColumn(f"A, {unit}/s", tuple(number(row.a) for row in rows), importance=2 if alone else 1),
    ]
    for index in range(len(comparison.sessions)):
        changes = [row.changes[index] for row in rows]
        found += _columns_of(letter(index + 1), changes, alone, unit)
    return found


def columns_within(comparison: SessionsComparison, width: int) -> list[TextColumn]:
    """Return the columns that fit `width` cells if possible, dropping them for all sessions alike."""
    shown, gap = comparison_columns(comparison), len(GAPS[-1])
    while sum(column.width + gap for column in shown) - gap > width:
        least = max(column.importance for column in shown)
        if not least:
            break
        shown = [column for column in shown if column.importance != least]
    return shown


def _columns_of(name: str, changes: list[Change | None], alone: bool, unit: str) -> list[TextColumn]:
    def column(title: str, cell: Callable[[Change], str], importance: int = 0) -> TextColumn:
        cells = tuple("" if change is None else cell(change) for change in changes)
        return TextColumn(title, cells, importance, is_text=title in ("verdict", "diagnoses"))

    rate = column(f"{name}, {unit}/s", lambda change: number(change.b), 3 if alone else 2)
    bounds = column("95% interval" if alone else f"95% interval of {name} / A", _interval, 1 if alone else 3)
    if not alone:
        return [rate, column(f"{name} / A", _ratio_and_verdict), bounds]
    doubted = [column("diagnoses", _doubts_of, 4)] if any(map(_doubts_of, filter(None, changes))) else []
    return [
        rate,
        column(f"{name} / A", lambda change: ratio(change.ratio)),
        bounds,
        column("verdict", lambda change: change.verdict),
        *doubted,
    ]


def _doubts_of(change: Change) -> str:
    """Return the names of the diagnoses of both sides, for the cell beside a verdict."""
    sides = [("A", change.doubts_a), ("B", change.doubts_b)]
    texts = [
        f"{side}: {', '.join(doubt.name + ' (severe)' * (doubt.severity == 'severe') for doubt in doubts)}"
        for side, doubts in sides
        if doubts
    ]
    return "; ".join(texts)


def _interval(change: Change) -> str:
    return interval(change.interval, ratio)


def _ratio_and_verdict(change: Change) -> str:
    return f"{ratio(change.ratio)} {UNCERTAIN.get(change.verdict, change.verdict)}".rstrip()


def sections(comparison: SessionsComparison) -> list[Section]:
    """Return the non-empty sections beside the table."""
    explained = [LEGEND] if comparison.rows and len(comparison.sessions) > 1 else []
    found = [
        Section("", _merged(comparison, _reasons) if comparison.rows else ()),
        Section("", tuple(explained)),
        Section("", _merged(comparison, _noise)),
        Section("Warnings and severe diagnoses", _doubts(comparison)),
        Section("Differences in hardware and software", _merged(comparison, _environment)),
        Section("Differences in settings", _merged(comparison, _settings)),
        Section("Runs without a counterpart", tuple(_unmatched(comparison))),
    ]
    return [section for section in found if section.lines]


def _merged(
    comparison: SessionsComparison, texts_of: Callable[[PairComparison], Iterable[str]]
) -> tuple[str, ...]:
    """Return each text once, with the letters of its sessions if there are several."""
    letters: dict[str, list[str]] = {}
    for index, session in enumerate(comparison.sessions, 1):
        for text in texts_of(session):
            letters.setdefault(text, []).append(letter(index))
    if len(comparison.sessions) == 1:
        return tuple(letters)
    return tuple(f"{', '.join(found)}: {text}" for text, found in letters.items())


def _reasons(session: PairComparison) -> Iterator[str]:
    if not session.changes:
        yield "no run in common with A, by mode, devices, workload, batch and varied values"
    for change in session.changes:
        if change.reason:
            yield f"{change.label}: {change.verdict}: {change.reason}"


def _doubts(comparison: SessionsComparison) -> tuple[str, ...]:
    """Return each side's warnings and severe diagnoses, severe first; of each name the gravest."""
    found: dict[tuple[str, str], dict[str, Doubt]] = {}
    for index, session in enumerate(comparison.sessions, 1):
        for change in session.changes:
            for side, doubts in (("A", change.doubts_a), (letter(index), change.doubts_b)):
                for doubt in doubts:
                    found.setdefault((side, doubt.name), {})[change.label] = doubt
    gravest = [(key, min(runs.values(), key=_gravity), len(runs) - 1) for key, runs in found.items()]
    return tuple(
        f"{side}: {doubt.severity}: {name}: {doubt.sentence}"
        + (f" (and {count(more, 'more run')})" if more else "")
        for (side, name), doubt, more in sorted(gravest, key=lambda each: (_gravity(each[1]), each[0][0]))
    )


def _gravity(doubt: Doubt) -> bool:
    return doubt.severity != "severe"


def _noise(session: PairComparison) -> Iterator[str]:
    runs: dict[str, list[str]] = {}
    for change in session.changes:
        if change.noise is not None and change.interval is not None:
            runs.setdefault(_noise_text(change.noise), []).append(change.label)
    for text, labels in runs.items():
        yield text if len(runs) == 1 else f"{text} ({'; '.join(labels)})"


def _noise_text(noise: Noise) -> str:
    if noise.freedom is None:
        known = (
            f"assumed, as there are fewer than {FEWEST_SESSIONS} comparable past sessions; "
            "if it is larger, verdicts are less certain than they seem"
        )
    else:
        past = f"{noise.sessions} comparable past sessions"
        known = f"estimated from {past}, whose throughputs count too"
    return f"the intervals cover noise between sessions: {percent(noise.deviation)}, {known}"


def not_judged(change: Change, name: str) -> str:
    """Return why no regression can be told from a change, one clause; empty if it can.

    `name` is the letter of the session compared with A.
    """
    parts = [
        f"{' and '.join(name if side == 'B' else side for side in sides)} "
        f"{'were' if len(sides) > 1 else 'was'} measured on {place}"
        for place, sides in change.disturbed.items()
    ]
    if change.verdict == "too few windows":
        parts.append(change.reason)
    return "; ".join(parts)


def _environment(session: PairComparison) -> list[str]:
    return differences_in_words(session.environment)


def _settings(session: PairComparison) -> Iterator[str]:
    """Yield each difference once, with its runs unless all have it."""
    runs: dict[str, list[str]] = {}
    for change in session.changes:
        for text in change.differences:
            runs.setdefault(text, []).append(change.label)
    for text, labels in runs.items():
        everywhere = len(labels) == len(session.changes)
        yield text if everywhere else f"{text} ({'; '.join(labels)})"


def _unmatched(comparison: SessionsComparison) -> Iterator[str]:
    for session in comparison.sessions:
        for name, other, labels in (
            (session.a, session.b, session.only_a),
            (session.b, session.a, session.only_b),
        ):
            if labels:
                beside = "" if len(comparison.sessions) == 1 else f" and not in {other}"
                yield f"only in {name}{beside}: {'; '.join(labels)}"


def render_comparison(comparison: SessionsComparison, form: CompareFormat, width: int = 100) -> str:
    """Render the comparison, ending with a line break; `width` is for text."""
    if form == "json":
        return _json(comparison)
    return _markdown(comparison) if form == "md" else _text(comparison, width)


def _json(comparison: SessionsComparison) -> str:
    document = {
        "schema": "gpubench-tui/compare",
        "version": VERSION,
        "base": comparison.base,
        "sessions": comparison.sessions,
    }
    return json_document(document)


def _markdown(comparison: SessionsComparison) -> str:
    shown = comparison_columns(comparison)
    left = {column.title for column in shown if column.is_text}
    titles, rows = [column.title for column in shown], zip(*(column.cells for column in shown), strict=True)
    others = ", ".join(session.b for session in comparison.sessions)
    lines = [
        f"# {one_line(f'{others} against {comparison.base}')}",
        "",
        one_line(_who(comparison)),
        "",
        *markdown_table(titles, rows, left),
        "",
    ]
    for part in sections(comparison):
        texts = [f"- {one_line(text)}" for text in part.lines]
        lines += section(part.title, texts) if part.title else [*texts, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _text(comparison: SessionsComparison, width: int) -> str:
    lines = [
        *textwrap.wrap(_who(comparison), max(width, 20)),
        "",
        *text_table(columns_within(comparison, width), width),
    ]
    for part in sections(comparison):
        lines += ["", *([f"{part.title}:"] if part.title else [])]
        lines += [line for text in part.lines for line in _wrapped(text, width, INDENT if part.title else "")]
    return "\n".join(lines) + "\n"


def _who(comparison: SessionsComparison) -> str:
    return ", ".join(f"{letter} is {name}" for letter, name in names(comparison)) + "."


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    hanging = indent * 2
    return textwrap.wrap(text, max(width, 20), initial_indent=indent, subsequent_indent=hanging)
