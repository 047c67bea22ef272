"""Sessions as the lines of a table, and what there is to say of one of them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from textual.content import Content

from ...engine.analysis.fit import GAPS, fit
from ...engine.analysis.glance import Entry
from .grid import GridColumn, wrapped

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


class SessionRows(NamedTuple):
    """The table's titles, and a line for each session with its name."""

    titles: Content
    rows: list[tuple[str, Content]]


def session_rows(entries: Sequence[Entry], selected: Collection[str], width: int) -> SessionRows:
    """The sessions in lines of `width` cells; columns are left out where space is short."""
    several_hosts = len({entry.host for entry in entries}) > 1
    columns = [
        GridColumn("  session", [_name(entry, entry.name in selected, width // 2) for entry in entries]),
        GridColumn("date", [Content.styled(date(entry), "$muted") for entry in entries], 3),
        GridColumn("host", [Content(entry.host) for entry in entries], 2 if several_hosts else 5),
        GridColumn("preset", [Content(entry.preset) for entry in entries], 4),
        GridColumn("state", [_state(entry) for entry in entries]),
        GridColumn("runs", [_runs(entry) for entry in entries], 1),
    ]
    shown, gap = fit(columns, width - FEWEST_FOR_A_RESULT - len(GAPS[-1]))
    widths = [column.width for column in shown]

    def line(cells: Iterable[Content], last: Content) -> Content:
        padded = [cell + " " * (room - cell.cell_length) for cell, room in zip(cells, widths, strict=True)]
        return Content(gap).join([*padded, last]).truncate(width, ellipsis=True)

    titles = line([Content(column.title) for column in shown], Content("result"))
    cells = zip(*(column.cells for column in shown), strict=True)
    rows = [(entry.name, line(row, result(entry))) for entry, row in zip(entries, cells, strict=True)]
    return SessionRows(titles.stylize("bold $muted"), rows)


def session_detail(entry: Entry, width: int) -> Content:
    """What the list has no room for."""
    runs = f"{entry.measured} of {_count(entry.runs, 'run')} measured"
    failed = f", {entry.failed} failed" if entry.failed else ""
    program = f"gpubench-tui {entry.program} on " if entry.program else "nothing was recorded; planned for "
    lines = [
        wrapped(f"{result(entry).plain}", width, result(entry).plain and "bold"),
        wrapped(f"{entry.title}, preset {entry.preset}; {date(entry)}, {entry.state}; {runs}{failed}", width),
        wrapped(f"{program}{entry.hardware}", width, "$muted"),
        wrapped(entry.path, width, "$muted"),
    ]
    return Content("\n").join([line for line in lines if line])


def date(entry: Entry) -> str:
    """When the session started, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.unix_time))


def result(entry: Entry) -> Content:
    """The session's result in a sentence, or what it does now."""
    if entry.state == "running":
        return Content.styled(f"now: {entry.current}" if entry.current else "starting", "$text-accent")
    if entry.state == "waiting":
        return Content.styled("waits for its turn", "$muted")
    if entry.headline is None:
        return Content.styled("…", "$muted")
    return Content(entry.headline) if entry.headline else Content.styled("nothing was measured", "$muted")


def _name(entry: Entry, selected: bool, width: int) -> Content:
    name = Content.styled(MARK + entry.name, "bold $text-accent") if selected else Content("  " + entry.name)
    return name.truncate(width, ellipsis=True)


def _state(entry: Entry) -> Content:
    return Content.styled(entry.state, STATE_STYLES[entry.state])


def _runs(entry: Entry) -> Content:
    figures = Content(f"{entry.measured} of {entry.runs}")
    return figures + Content.styled(f", {entry.failed} failed", "$text-error") if entry.failed else figures


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
