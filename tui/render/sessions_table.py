"""Sessions as the lines of a table, and what there is to say of one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content

from ...engine.analysis.sessions.overview import SessionOverview
from ...engine.text.tables import GAPS, fit_columns
from ...engine.text.units import count, date_time
from .grid import wrapped

FEWEST_FOR_A_RESULT = 32
"""Cells: before a result has fewer, other columns are left out."""
MARK = "* "

STATE_STYLES = {
    "waiting": "$muted",
    "running": "bold $text-accent",
    "finished": "",
    "stopped": "$text-warning",
    "interrupted": "$text-warning",
}


Span = tuple[str, str]
"""A text and its style."""


class SessionsTable(NamedTuple):
    """The table's titles, and for each session its name and its line."""

    titles: str
    rows: list[tuple[str, tuple[Span, ...]]]


class SessionColumn(NamedTuple):
    """One column: a cell for each session."""

    title: str
    cells: Sequence[Span]
    importance: int = 0

    @property
    def width(self) -> int:
        """Cells that its widest text takes."""
        return max(map(cell_len, (self.title, *(text for text, _ in self.cells))))


def sessions_table(
    entries: Sequence[SessionOverview], selected: Collection[str], width: int
) -> SessionsTable:
    """The sessions in lines for `width` cells; columns are left out where space is short."""
    several_hosts = len({entry.host for entry in entries}) > 1
    columns = [
        SessionColumn("  session", [_name(entry, entry.name in selected, width // 2) for entry in entries]),
        SessionColumn("date", [(date(entry), "$muted") for entry in entries], 3),
        SessionColumn("host", [(entry.host, "") for entry in entries], 2 if several_hosts else 5),
        SessionColumn("preset", [(entry.preset, "") for entry in entries], 4),
        SessionColumn("state", [(entry.state, STATE_STYLES[entry.state]) for entry in entries]),
        SessionColumn("runs", [_runs(entry) for entry in entries], 1),
    ]
    shown, gap = fit_columns(columns, width - FEWEST_FOR_A_RESULT - len(GAPS[-1]))
    widths = [column.width for column in shown]

    def padded(cells: Iterable[Span]) -> tuple[Span, ...]:
        return tuple(
            (text + " " * (room - cell_len(text)) + gap, style)
            for (text, style), room in zip(cells, widths, strict=True)
        )

    titles = "".join(text for text, _ in padded((column.title, "") for column in shown)) + "result"
    cells = zip(*(column.cells for column in shown), strict=True)
    rows = [(entry.name, (*padded(row), result(entry))) for entry, row in zip(entries, cells, strict=True)]
    return SessionsTable(titles, rows)


def session_details(entry: SessionOverview, width: int) -> Content:
    """What the list has no room for."""
    runs = f"{entry.measured} of {count(entry.runs, 'run')} measured"
    failed = f", {entry.failed} failed" if entry.failed else ""
    program = f"gpubench-tui {entry.program} on " if entry.program else "nothing was recorded; planned for "
    lines = [
        wrapped(result(entry)[0], width, "bold"),
        wrapped(f"{entry.title}, preset {entry.preset}; {date(entry)}, {entry.state}; {runs}{failed}", width),
        wrapped(f"{program}{entry.hardware}", width, "$muted"),
        wrapped(entry.path, width, "$muted"),
    ]
    return Content("\n").join([line for line in lines if line])


def date(entry: SessionOverview) -> str:
    """When the session started, to the minute."""
    return date_time(entry.unix_time)


def result(entry: SessionOverview) -> Span:
    """The session's result in a sentence, or what it does now."""
    if entry.state == "running":
        return f"now: {entry.current}" if entry.current else "starting", "$text-accent"
    if entry.state == "waiting":
        return "waits for its turn", "$muted"
    if entry.headline is None:
        return "…", "$muted"
    return (entry.headline, "") if entry.headline else ("nothing was measured", "$muted")


def _name(entry: SessionOverview, selected: bool, width: int) -> Span:
    name = entry.name if len(entry.name) < width - 2 else entry.name[: width - 3] + "…"
    return (MARK + name, "bold $text-accent") if selected else (" " * len(MARK) + name, "")


def _runs(entry: SessionOverview) -> Span:
    figures = f"{entry.measured} of {entry.runs}"
    return (f"{figures}, {entry.failed} failed", "$text-error") if entry.failed else (figures, "")
