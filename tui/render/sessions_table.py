"""The sessions as a table, and the details of one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content

from ...engine.analysis.sessions.overview import SessionOverview, UnreadableSession
from ...engine.text.plain import unbroken
from ...engine.text.tables import GAPS, fit_columns
from ...engine.text.units import count, date_time
from .drawing.grid import StyledText, shortened, wrapped

LEAST_RESULT_CELLS = 32
"""Least width of the result; other columns are left out first."""
MODEL_CELLS = 28
"""Greatest width of the models and precisions."""
MARK = "* "
"""Prefix of a selected session."""

STATE_STYLES = {
    "waiting": "$muted",
    "running": "bold $text-accent",
    "finished": "",
    "failed": "$text-error",
    "stopped": "$text-warning",
    "interrupted": "$text-warning",
}


class SessionsTable(NamedTuple):
    """Titles of the table, and for each session its name and its line."""

    titles: str
    rows: list[tuple[str, tuple[StyledText, ...]]]


class SessionColumn(NamedTuple):
    """One column of the table, a cell per session."""

    title: str
    cells: Sequence[StyledText]
    importance: int = 0

    @property
    def width(self) -> int:
        """Return the width in cells of the widest text."""
        return max(map(cell_len, (self.title, *(text for text, _ in self.cells))))


def sessions_table(
    entries: Sequence[SessionOverview], selected: Collection[str], width: int
) -> SessionsTable:
    """Return the sessions as lines of `width` cells, leaving out columns where space is short."""
    several_hosts = len({entry.host for entry in entries}) > 1
    columns = [
        SessionColumn("  session", [_name(entry, entry.name in selected, width // 2) for entry in entries]),
        SessionColumn("date", [(date_time(entry.unix_time), "$muted") for entry in entries], 3),
        SessionColumn("host", [(unbroken(entry.host), "") for entry in entries], 2 if several_hosts else 6),
        SessionColumn("preset", [(unbroken(entry.preset), "") for entry in entries], 4),
        SessionColumn("model", [(shortened(entry.model, MODEL_CELLS), "") for entry in entries], 5),
        SessionColumn("state", [(entry.shown_state, STATE_STYLES[entry.shown_state]) for entry in entries]),
        SessionColumn("runs", [_runs(entry) for entry in entries], 1),
    ]
    shown, gap = fit_columns(columns, width - LEAST_RESULT_CELLS - len(GAPS[-1]))
    widths = [column.width for column in shown]

    def padded(cells: Iterable[StyledText]) -> tuple[StyledText, ...]:
        return tuple(
            (text + " " * (room - cell_len(text)) + gap, style)
            for (text, style), room in zip(cells, widths, strict=True)
        )

    titles = "".join(text for text, _ in padded((column.title, "") for column in shown)) + "result"
    cells = zip(*(column.cells for column in shown), strict=True)
    rows = [(entry.name, (*padded(row), _result(entry))) for entry, row in zip(entries, cells, strict=True)]
    return SessionsTable(titles, rows)


def unreadable_row(session: UnreadableSession, width: int) -> tuple[StyledText, ...]:
    """Return the line of a session that cannot be read: its name and the reason."""
    name = shortened(session.name, width // 2 - len(MARK))
    return ((" " * len(MARK) + name, "$muted"), (f"  {session}", "$muted"))


def unreadable_details(session: UnreadableSession, width: int) -> Content:
    """Return why a session cannot be read, and its path."""
    return Content("\n").join([wrapped(f"{session}", width), wrapped(session.path, width, "$muted")])


def session_details(entry: SessionOverview, width: int) -> Content:
    """Return the details of a session: result, training, preset, date, state, runs, hardware and path."""
    runs = f"{entry.measured} of {count(entry.runs, 'run')} measured"
    failed = f", {entry.failed} failed" if entry.failed else ""
    program = f"gpubench-tui {entry.program} on " if entry.program else "nothing recorded; planned for "
    started = date_time(entry.unix_time)
    lines = [
        wrapped(_result(entry)[0], width, "bold"),
        wrapped(entry.trained, width),
        wrapped(
            f"{entry.title}, preset {entry.preset}; {started}, {_ended(entry)}; {runs}{failed}",
            width,
        ),
        wrapped(f"{program}{entry.hardware}", width, "$muted"),
        wrapped(entry.path, width, "$muted"),
    ]
    return Content("\n").join([line for line in lines if line])


def _ended(entry: SessionOverview) -> str:
    return f"{entry.state}: {entry.reason}" if entry.reason else entry.shown_state


def _result(entry: SessionOverview) -> StyledText:
    """Return the session's result in a sentence, or its current run."""
    if entry.state == "running":
        return f"now: {unbroken(entry.current)}" if entry.current else "starting", "$text-accent"
    if entry.state == "waiting":
        return "in the queue", "$muted"
    if entry.headline is None:
        return "…", "$muted"
    if entry.headline:
        return unbroken(entry.headline), ""
    return (unbroken(entry.reason), "$text-warning") if entry.reason else ("nothing was measured", "$muted")


def _name(entry: SessionOverview, selected: bool, width: int) -> StyledText:
    name = shortened(entry.name, width - len(MARK))
    return (MARK + name, "bold $text-accent") if selected else (" " * len(MARK) + name, "")


def _runs(entry: SessionOverview) -> StyledText:
    figures = f"{entry.measured} of {entry.runs}"
    return (f"{figures}, {entry.failed} failed", "$text-error") if entry.failed else (figures, "")
