"""The report's section on what more devices would give, marked as projected wherever it is shown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Literal

from ...text.encoding import json_document
from ...text.grouping import group_labels
from ...text.markdown import markdown_table, one_line, section
from ...text.tables import TextColumn, text_table
from ...text.units import NOT_AVAILABLE, common_unit, count, interval, number, percent
from ..projection.check import ModelCheck
from ..projection.projection import Projection
from ..projection.step_model import Method

VERSION = 1
ProjectionFormat = Literal["text", "md", "json"]

PROJECTED = "Projected, not measured"
"""Title of the section on reports and screens."""

MOST_CHECKS = 3
"""Most projections whose checks are told one by one."""

METHOD_TEXTS: dict[Method, str] = {
    "buckets": "the measured steps and gradient buckets put together anew, with the all-reduces of more "
    "devices and each step waiting for the slowest of as many ranks",
    "pieces": "the measured step and what its all-gathers and reduce-scatters take longer on more devices, "
    "without the noise of more ranks",
    "proportional": "what several devices cost over one, growing as the traffic of a ring does",
}


def projection_section(found: Sequence[Projection]) -> Iterator[str]:
    """Yield the section: a row for each projected number of devices, and what the rows rest on."""
    columns = projection_columns(found)
    rows = list(zip(*(column.cells for column in columns), strict=True))
    left = {column.title for column in columns if column.is_text}
    lines = markdown_table([column.title for column in columns], rows, left)
    notes = [f"- {one_line(note)}" for note in projection_notes(found)]
    yield from section(PROJECTED, [*lines, *([""] if lines and notes else []), *notes])


def projection_text(found: Sequence[Projection], width: int) -> list[str]:
    """Return the section as lines of text; none where there is nothing to project from."""
    if not found:
        return []
    lines = [f"{PROJECTED}:"]
    columns = projection_columns(found)
    lines += [f"  {line}" for line in text_table(columns, width - 2)] if columns[0].cells else []
    for note in projection_notes(found):
        lines += textwrap.wrap(note, max(20, width), initial_indent="  ", subsequent_indent="    ")
    return lines


def render_projection(
    session: str, found: Sequence[Projection], form: ProjectionFormat, width: int = 100
) -> str:
    """Render the projections of a session, ending with a line break; `width` is for text."""
    if form == "json":
        document = {
            "schema": "gpubench-tui/projection",
            "version": VERSION,
            "session": session,
            "projection": found,
        }
        return json_document(document)
    lines = list(projection_section(found)) if form == "md" else projection_text(found, width)
    return "\n".join(lines).rstrip("\n") + "\n"


def projection_columns(found: Sequence[Projection]) -> list[TextColumn]:
    """Return the columns of the table, a row for each projected number of devices."""
    rows = [(projection, point) for projection in found for point in projection.points]
    unit = common_unit(projection.unit for projection in found)
    points = [point for _, point in rows]
    columns = [
        TextColumn("from", [projection.label for projection, _ in rows], is_text=True),
        TextColumn("devices", [f"{point.devices:,}" for point in points]),
        TextColumn("machines", [f"{point.machines:,}" for point in points], 4),
        TextColumn("batch", [f"{point.global_batch:,}" for point in points], 6),
        TextColumn(f"projected {unit}/s", [number(point.throughput) for point in points]),
        TextColumn("95% interval", [interval(point.interval) for point in points], 1),
        TextColumn("per device", [number(point.throughput_per_device) for point in points], 5),
        TextColumn("efficiency", [percent(point.efficiency) for point in points]),
        TextColumn("check", [_error(each.check) if each.check else "" for each, _ in rows], 2),
        TextColumn("network alone", [number(point.network_only) for point in points], 3),
    ]
    empty = {"", NOT_AVAILABLE}
    return [column for column in columns if not points or not empty.issuperset(column.cells)]


def projection_notes(found: Sequence[Projection]) -> Iterator[str]:
    """Yield sentences: how well the method does, what it is, what it assumes, and what it leaves out.

    A sentence about some of the projections alone begins with their labels.
    """
    notes = [(projection.label, note) for projection in found for note in _notes(projection)]
    everyone = len({projection.label for projection in found})
    for labels, note in [*_check_notes(found), *_grouped(notes, everyone)]:
        yield f"{labels}: {note}" if labels else f"{note[:1].upper()}{note[1:]}"


def check_text(check: ModelCheck, unit: str) -> str:
    """Write how well the method predicts the measured run on the most devices."""
    values = f"{number(check.projected)} {unit}/s for the {number(check.measured)} measured"
    basis = " and ".join(map(str, check.basis))
    if check.held_out:
        return (
            f"from {basis} of its devices the same method gives {values} on {check.devices} ({_error(check)})"
        )
    return (
        f"its step put together from its own parts gives {values} ({_error(check)}); there is no run on "
        "fewer, but several, devices to project it from"
    )


def _check_notes(found: Sequence[Projection]) -> Iterator[tuple[str, str]]:
    """Yield the check of each projection, or of many the range of their errors."""
    checks = [(each, each.check) for each in found if each.check is not None]
    if len(checks) <= MOST_CHECKS:
        yield from ((projection.label, check_text(check, projection.unit)) for projection, check in checks)
        return
    least, most = (pick(checks, key=lambda pair: pair[1].error)[1] for pick in (min, max))
    own = "" if all(check.held_out for _, check in checks) else " or their own parts"
    yield (
        "",
        f"projected from fewer devices{own} by the same method, the {len(checks)} measured runs on the most "
        f"devices come out at {_error(least)} to {_error(most)}",
    )


def _grouped(notes: Sequence[tuple[str, str]], everyone: int) -> Iterator[tuple[str, str]]:
    """Yield each note with its labels, without them where it is about all projections."""
    about: dict[str, set[str]] = {}
    for label, note in notes:
        about.setdefault(note, set()).add(label)
    for labels, note in group_labels(notes):
        yield ("" if everyone == len(about[note]) else labels), note


def _error(check: ModelCheck) -> str:
    return f"{100 * check.error:+z.1f}%"


def _notes(projection: Projection) -> Iterator[str]:
    if projection.doubts:
        yield f"not credible, as the measured runs are not: {', '.join(projection.doubts)}"
    if projection.check is None and projection.method is not None:
        yield "unchecked: it is the only run on several devices"
    if projection.points and projection.method is not None:
        yield f"method: {METHOD_TEXTS[projection.method]}"
    if projection.link is not None and any(point.machines > 1 for point in projection.points):
        yield (
            f"assumed: {projection.link} between machines of {count(projection.reach, 'device')}, as given "
            "and not measured; the interval does not cover an error in that"
        )
    if any(point.thin_noise for point in projection.points):
        most = max(point.devices for point in projection.points if point.thin_noise)
        yield f"up to {most:,} ranks are more than the measured steps, so that their noise is a lower bound"
    for reason, counts in projection.refused.items():
        yield f"not projected to {', '.join(f'{each:,}' for each in counts)}: {reason}"
