"""The report's section on step time by part: a text bar for each run and each rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...text.ascii import stacked_bar
from ...text.grouping import group_labels
from ...text.markdown import block, markdown_table, one_line, section
from ...text.units import milliseconds, percent
from ..results.phases import PARTS, WORDS, Part, Phases, parts_in
from ..results.result import Result

CHARACTERS: dict[Part, str] = {
    "input": "i",
    "transfer": "t",
    "forward": "f",
    "backward": "b",
    "dividing": "d",
    "exposed": "X",
    "copying": "c",
    "optimizer": "o",
    "unaccounted": ".",
}
"""Character that each part is drawn with."""
BAR_WIDTH = 50
APART = 0.05
"""Imbalance above which the slowest rank is named, as a share of the step."""


def phase_bar(shares: dict[Part, float], width: int = BAR_WIDTH) -> str:
    """Draw the parts of a step as one bar of `width` characters."""
    return stacked_bar({CHARACTERS[part]: shares[part] for part in PARTS}, width)


def phases_section(found: Sequence[Result]) -> Iterator[str]:
    """Yield the section: bars, shares and remarks; empty if no run has a breakdown."""
    measured = [(result, result.phases) for result in found if result.phases is not None]
    bars = [line for result, phases in measured for line in _bars(result.label, phases)]
    if not bars:
        return
    width = max(len(name) for name, _ in bars)
    drawn = [f"{name:<{width}} {rest}" for name, rest in bars]
    parts = parts_in(phases for _, phases in measured)
    rows = [_row(result.label, phases, parts) for result, phases in measured]
    titles = ("run", "step, ms", "in windows, ms", "difference", *parts)
    noted = group_labels((result.label, one_line(text)) for result, p in measured for text in p.notes)
    notes = [f"- {one_line(whose)}: {text}" for whose, text in noted]
    lines = [*block([*drawn, "", _legend(parts)]), "", *markdown_table(titles, rows, left={"run"})]
    yield from section("Step time breakdown", [*lines, *([""] if notes else []), *notes])


def _bars(label: str, phases: Phases) -> list[tuple[str, str]]:
    if len(phases.ranks) == 1:
        return [(label, f"{phase_bar(phases.shares)}  {milliseconds(phases.step_seconds)} ms")]
    names = len({rank.workload for rank in phases.ranks}) > 1
    bars = []
    for rank in phases.ranks:
        whose = f"{label} rank {rank.rank}" + (f" {rank.workload}" if names else "")
        mark = " slowest" if rank.rank == phases.slowest and phases.imbalance > APART and not names else ""
        bars.append((whose, f"{phase_bar(rank.shares)}  {milliseconds(rank.step_seconds)} ms{mark}"))
    return bars


def _legend(parts: Sequence[Part]) -> str:
    return ", ".join(f"{CHARACTERS[part]} {WORDS.get(part, part)}" for part in parts)


def _row(label: str, phases: Phases, parts: Sequence[Part]) -> list[str]:
    difference = "" if phases.difference is None else f"{100 * phases.difference:+.1f}%"
    window = "" if phases.window_step_seconds is None else milliseconds(phases.window_step_seconds)
    shares = (percent(phases.shares[part]) for part in parts)
    return [label, milliseconds(phases.step_seconds), window, difference, *shares]
