"""Step time breakdown: a bar per run, divided into parts by letter and colour, and their shares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from textual.content import Content

from ...engine.analysis.analysis import Analysis
from ...engine.analysis.report.phases import CHARACTERS, phase_bar
from ...engine.analysis.results.phases import WORDS, Part, Phases, parts_in
from ...engine.record.session import Session
from ...engine.text.grouping import group_labels
from ...engine.text.units import milliseconds
from .drawing.grid import grid, shortened, text_columns, wrapped

PART_STYLES: dict[Part, str] = {
    "input": "$text-warning on $warning-muted",
    "transfer": "$text-secondary on $secondary-muted",
    "forward": "$text-primary on $primary-muted",
    "backward": "$text-success on $success-muted",
    "dividing": "$success on $success-muted",
    "exposed": "bold $text-error on $error-muted",
    "copying": "$text-error on $error-muted",
    "optimizer": "$text-accent on $accent-muted",
    "unaccounted": "$muted",
}
PART_OF = {character: part for part, character in CHARACTERS.items()}
WIDEST_PHASE_BAR = 100


def phase_bars(analysis: Analysis, is_over: bool, width: int) -> Content:
    """Return a bar per run, the legend, the shares in numbers and notes; or why there are none.

    `is_over`: whether the session has ended.
    """
    measured = [(result.label, result.phases) for result in analysis.results if result.phases is not None]
    if not measured:
        return wrapped(why_none(analysis.session, is_over), width, "$muted")
    noted = group_labels((label, text) for label, phases in measured for text in phases.notes)
    notes = [wrapped(text, width, lead=f"{whose}: ") for whose, text in noted]
    parts = parts_in(phases for _, phases in measured)
    blocks = [_bars(measured, width), _legend(parts, width), _shares(measured, parts, width)]
    return Content("\n\n").join([*blocks, *([Content("\n").join(notes)] if notes else [])])


def why_none(session: Session, is_over: bool) -> str:
    """Return why no run has been measured in the detail phase, which follows a run's windows."""
    if not any(run.spec.measure.detail for run in session.runs.values()):
        return "Not measured: the preset sets measure.detail to 0."
    if is_over:
        return "No run reached this: it is measured after the timed windows."
    return "No run has reached this yet: it is measured after the timed windows."


def _bars(measured: Sequence[tuple[str, Phases]], width: int) -> Content:
    names = min(max(len(label) for label, _ in measured), max(8, width // 3))
    times = [f"{milliseconds(phases.step_seconds)} ms" for _, phases in measured]
    room = max(10, min(WIDEST_PHASE_BAR, width - names - max(map(len, times)) - 2))
    lines = []
    for (label, phases), time in zip(measured, times, strict=True):
        name = f"{shortened(label, names):<{names}} "
        lines.append(Content.assemble(name, _colored(phase_bar(phases.shares, room)), f" {time}"))
    return Content("\n").join(lines)


def _colored(bar: str) -> Content:
    parts = (("".join(run), PART_STYLES[PART_OF[character]]) for character, run in groupby(bar))
    return Content.assemble(*parts)


def _legend(parts: Sequence[Part], width: int) -> Content:
    lines: list[list[Content]] = [[]]
    for part in parts:
        entry = Content.assemble((CHARACTERS[part], PART_STYLES[part]), f" {WORDS.get(part, part)}")
        if sum(each.cell_length + 2 for each in lines[-1]) + entry.cell_length > width:
            lines.append([])
        lines[-1].append(entry)
    return Content("\n").join([Content("  ").join(line) for line in lines])


def _shares(measured: Sequence[tuple[str, Phases]], parts: Sequence[Part], width: int) -> Content:
    """Return the step time here and in the windows, and the parts in percent; by letter if space is short."""
    rows = [
        (
            label,
            milliseconds(phases.step_seconds),
            milliseconds(phases.window_step_seconds),
            *(f"{100 * phases.shares[part]:z.0f}%" for part in parts),
        )
        for label, phases in measured
    ]
    for names in (parts, tuple(CHARACTERS[part] for part in parts)):
        titles = ("run", "step, ms", "in windows", *names)
        columns = text_columns(titles, rows, [0] * len(titles), left=("run",))
        if sum(column.width + 1 for column in columns) <= width:
            break
    return grid(columns, width)
