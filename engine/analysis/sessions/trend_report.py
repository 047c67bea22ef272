"""The trend of a preset as text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator, Sequence
from typing import Literal

from ...text.encoding import json_document
from ...text.markdown import markdown_table, one_line
from ...text.tables import TextColumn, text_table
from ...text.units import count, date_time, interval, number, ratio
from ..export import BYTE_ORDER_MARK, csv_cell
from .trend import Step, Trend, TrendLine, TrendPoint

VERSION = 1
TrendFormat = Literal["text", "md", "csv", "json"]
CSV_TITLES = (
    *("run", "mode", "devices", "batch_per_device", "rank", "trained", "session", "unix_time", "unit"),
    *("throughput", "low", "high", "against", "ratio", "ratio_low", "ratio_high", "verdict"),
    *("differs", "diagnoses"),
)


def marks(trend: Trend) -> dict[tuple[str, ...], str]:
    """Return the letter of each set of differences between two sessions in a row, in their order."""
    found: dict[tuple[str, ...], str] = {}
    for line in trend.lines:
        for point in line.points:
            if point.differs and point.differs not in found:
                found[point.differs] = mark_letter(len(found))
    return found


def mark_letter(place: int) -> str:
    """Return the letter of a change: `a` to `z`, then `aa` and so on."""
    return chr(ord("a") + place) if place < 26 else mark_letter(place // 26 - 1) + mark_letter(place % 26)


def trend_title(trend: Trend) -> str:
    """Return preset, machine and number of sessions in one line."""
    return f"{trend.preset} on {trend.host}: {count(trend.sessions, 'session')}"


def line_title(line: TrendLine) -> str:
    """Return a line's run, and its training."""
    return f"{line.label}: {line.trained}"


def overall_text(line: TrendLine) -> str:
    """Return the newest figure against the first; empty where there are fewer than three."""
    return f"newest against first: {step_text(line.overall)}" if line.overall is not None else ""


def step_text(step: Step) -> str:
    """Return a comparison in words: `0.91x (0.89x to 0.93x), worse`."""
    bounds = f" ({interval(step.interval, ratio)})" if step.interval is not None else ""
    return f"{ratio(step.ratio)}{bounds}, {step.verdict}"


def trend_columns(line: TrendLine, letters: dict[tuple[str, ...], str]) -> list[TextColumn]:
    """Return the columns of a line's table, a row for each session, newest first."""
    points = line.points[::-1]
    steps = [point.step for point in points]
    found = [
        TextColumn("date", [date_time(point.unix_time) for point in points], is_text=True),
        TextColumn("session", [point.session for point in points], 5, is_text=True),
        TextColumn(f"{line.unit}/s", [number(point.throughput) for point in points]),
        TextColumn("95% interval", [interval(point.interval) for point in points], 3),
        TextColumn("vs previous", [ratio(step.ratio) if step else "" for step in steps], 1),
        TextColumn("95% interval", [interval(step.interval, ratio) if step else "" for step in steps], 4),
        TextColumn("verdict", [step.verdict if step else "" for step in steps], is_text=True),
        TextColumn("changed", [letters.get(point.differs, "") for point in points], is_text=True),
    ]
    doubted = [", ".join(doubt.name for doubt in point.doubts) for point in points]
    return [*found, TextColumn("diagnoses", doubted, 2, is_text=True)] if any(doubted) else found


def trend_notes(trend: Trend) -> Iterator[str]:
    """Yield the sentences below the tables: the changes by letter, and what is left out."""
    for differs, letter in marks(trend).items():
        yield f"{letter}: {'; '.join(differs)}"
    if any(len(line.points) > 1 for line in trend.lines):
        yield (
            "Intervals of throughputs cover noise within a session, those of ratios also noise between "
            "sessions. Runs are matched as compare does; where its workload changed, a run has a table of "
            "its own."
        )
    if trend.left_out:
        yield f"Without a figure: {'; '.join(trend.left_out)}"
    if trend.elsewhere:
        yield f"Measured on other machines, too (--host NAME): {', '.join(trend.elsewhere)}"


def render_trend(trend: Trend, form: TrendFormat, width: int = 100) -> str:
    """Render the trend, ending with a line break; `width` is for text."""
    if form == "json":
        document = {"schema": "gpubench-tui/trend", "version": VERSION, **_fields(trend)}
        return json_document(document)
    if form == "csv":
        return _csv(trend)
    return _markdown(trend) if form == "md" else _text(trend, width)


def _fields(trend: Trend) -> dict[str, object]:
    return {name: getattr(trend, name) for name in trend.__struct_fields__}


def _text(trend: Trend, width: int) -> str:
    letters = marks(trend)
    lines = textwrap.wrap(trend_title(trend), width)
    for line in trend.lines:
        lines += ["", *textwrap.wrap(line_title(line), width)]
        lines += textwrap.wrap(overall_text(line), width, initial_indent="  ", subsequent_indent="    ")
        lines += [f"  {row}" for row in text_table(trend_columns(line, letters), width - 2)]
    for note in trend_notes(trend):
        lines += ["", *textwrap.wrap(note, width, subsequent_indent="  ")]
    return "\n".join(lines) + "\n"


def _markdown(trend: Trend) -> str:
    letters = marks(trend)
    lines = [f"# {one_line(trend_title(trend))}", ""]
    for line in trend.lines:
        columns = trend_columns(line, letters)
        rows = zip(*(column.cells for column in columns), strict=True)
        left = {column.title for column in columns if column.is_text}
        lines += [f"## {one_line(line_title(line))}", ""]
        lines += [one_line(overall_text(line)), ""] if line.overall is not None else []
        lines += [*markdown_table([column.title for column in columns], rows, left), ""]
    lines += [f"- {one_line(note)}" for note in trend_notes(trend)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _csv(trend: Trend) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_TITLES)
    for line in trend.lines:
        for point in line.points:
            writer.writerow(map(csv_cell, _csv_row(line, point)))
    table = text.getvalue()
    return table if table.isascii() else BYTE_ORDER_MARK + table


def _csv_row(line: TrendLine, point: TrendPoint) -> Sequence[object]:
    step = point.step
    low, high = point.interval or (None, None)
    ratio_low, ratio_high = (step.interval if step else None) or (None, None)
    return (
        *(line.label, line.mode, line.devices, line.batch_per_device, line.rank, line.trained),
        *(point.session, point.unix_time, line.unit, point.throughput, low, high),
        *((step.against, step.ratio) if step else ("", None)),
        *(ratio_low, ratio_high, step.verdict if step else ""),
        *("; ".join(point.differs), "; ".join(doubt.sentence for doubt in point.doubts)),
    )
