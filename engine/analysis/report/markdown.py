"""The report of a session as Markdown, legible on GitHub and in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...record.session import Session
from ...text.grouping import group_labels
from ...text.markdown import code_span, markdown_table, one_line, section
from ...text.units import date_time, duration, interval, number, percent, ratio
from ..analysis import Analysis
from ..environment import environment, fingerprints, hardware, settings
from ..results.result import Result
from ..trained import trained
from .columns import cell, remarks, result_columns, side_by_side, unit_of
from .communication import communication_section
from .devices import devices_section, gpus_section
from .diagnosis import diagnosis_section
from .epochs import epochs_section
from .method import method
from .phases import phases_section
from .projection import projection_section
from .provenance import origins
from .published import published_section
from .trials import trials_section
from .tuning import results_in_brief, tuning_section

MOST_WARNINGS = 20


def markdown(analysis: Analysis) -> str:
    """Render the report of a session, as far as it has gone."""
    session, found = analysis.session, analysis.results
    sections = (
        _opening(analysis),
        tuning_section(session),
        diagnosis_section(analysis.diagnoses),
        trials_section(analysis),
        _results(analysis),
        _intervals(found),
        _side_by_side(found),
        phases_section(found),
        communication_section(found),
        projection_section(analysis.projections),
        devices_section(found),
        gpus_section(analysis),
        epochs_section(session),
        published_section(analysis),
        _warnings(session),
        _rows("Environment", ("fact", "value"), environment(session)),
        _rows("Rank settings", ("setting", "value"), settings(session)),
        section("Fingerprints", [f"- {one_line(line)}" for line in fingerprints(found)]),
        _obtained(analysis),
    )
    return "\n".join(line for section in sections for line in section).rstrip("\n") + "\n"


def _opening(analysis: Analysis) -> Iterator[str]:
    session = analysis.session
    yield f"# {one_line(session.plan.title or session.name)}"
    yield ""
    if what := trained(session.plan):
        yield one_line(what)
        yield ""
    if session.plan.question:
        yield f"> {one_line(session.plan.question)}"
        yield ""
    if analysis.headline:
        yield f"**{one_line(analysis.headline)}.**"
        yield ""
    when = date_time(session.unix_time, zone=True)
    yield f"Measured on {one_line(hardware(session))}."
    yield (
        f"Session {code_span(session.name)}, preset {code_span(session.plan.preset)}, {when}, "
        f"{duration(session.elapsed)}, gpubench-tui {one_line(session.program)}."
    )
    if session.resumes:
        yield (
            f"It resumes {code_span(session.resumes)}: runs marked as taken over were measured there, on the "
            "same machine and with the same software."
        )
    if session.outcome is None:
        yield "**The session had not ended when this was written, or was interrupted.**"
    elif session.outcome == "stopped":
        yield "**The session was stopped early; the report covers what was measured until then.**"
    elif session.outcome == "interrupted":
        yield (
            f"**The session was interrupted: {one_line(session.reason)}. The report covers what was measured "
            "until then.**"
        )
    yield ""


def markdown_summary(analysis: Analysis, found: Sequence[Result]) -> list[str]:
    """Return the lines of the training, the headline, the machine and the table of results."""
    session = analysis.session
    opening = [one_line(trained(session.plan)), f"Measured on {one_line(hardware(session))}."]
    if analysis.headline:
        opening.insert(1, f"**{one_line(analysis.headline)}.**")
    return [*(line for text in opening if text for line in (text, "")), *markdown_results(found)]


def markdown_results(found: Sequence[Result]) -> list[str]:
    """Return the lines of the results table, with every column that has something to show."""
    shown = result_columns(found)
    titles = [column.title for column in shown]
    rows = [[cell(column, result) for column in shown] for result in found]
    return markdown_table(titles, rows, left={column.title for column in shown if column.is_text})


def _results(analysis: Analysis) -> Iterator[str]:
    found = results_in_brief(analysis)
    lines = markdown_results(found)
    remarked = group_labels(
        (result.label, one_line(text)) for result in found for text in remarks(result, analysis.headline)
    )
    below = [f"- {one_line(whose)}: {text}" for whose, text in remarked]
    yield from section("Results", [*lines, *([""] if below else []), *below])


def _intervals(found: Sequence[Result]) -> Iterator[str]:
    titles = (
        "run",
        "windows",
        f"{unit_of(found)}/s",
        "speedup",
        "efficiency",
        "scaling",
        "measuring ended by",
    )
    rows = [
        (
            result.label,
            str(result.windows),
            interval(result.interval, number),
            interval(result.speedup_interval, ratio),
            interval(result.efficiency_interval, percent),
            result.scaling or "",
            result.stop_reason or result.state,
        )
        for result in found
        if result.windows
    ]
    lines = markdown_table(titles, rows, left={"run", "scaling", "measuring ended by"})
    below = [f"- {one_line(result.label)}: {_repeats(result)}" for result in found if result.repeats > 1]
    yield from section("95% confidence intervals", [*lines, *([""] if below else []), *below])


def _repeats(result: Result) -> str:
    each = ", ".join(map(number, result.repeat_throughputs))
    return (
        f"{result.repeats} repeats of {each} {result.unit}/s, a range of {percent(result.repeat_spread)}; "
        "the table gives their geometric mean"
    )


def _side_by_side(found: Sequence[Result]) -> Iterator[str]:
    for result in found:
        lines = [f"- {one_line(line)}" for line in side_by_side(result)]
        yield from section(f"Side by side: {result.label}", lines)


def _warnings(session: Session) -> Iterator[str]:
    # The reasons of failed runs are given beside the results.
    logged = [
        line for line in session.log if line.level == "warning" or (line.level, line.run) == ("error", None)
    ]
    lines = [f"- {line.level}: {one_line(line.text)}" for line in logged[:MOST_WARNINGS]]
    if len(logged) > MOST_WARNINGS:
        lines.append(f"- and {len(logged) - MOST_WARNINGS} more in the journal")
    lines += [f"- {one_line(note)}" for note in session.host.notes]
    if session.unreadable:
        lines.append(f"- {session.unreadable} lines of the journal could not be read and are left out")
    yield from section("Warnings", lines)


def _obtained(analysis: Analysis) -> Iterator[str]:
    lines = [f"- {one_line(line)}" for line in method(analysis)]
    found = origins(analysis.results)
    each = [f"- **{origin.figure}** ({origin.kind}): {one_line(origin.how)}" for origin in found]
    yield from section("Method", [*lines, *([""] if each else []), *each])


def _rows(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    return section(title, markdown_table(titles, rows, left=set(titles)) if rows else [])
