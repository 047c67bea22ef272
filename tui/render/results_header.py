"""Beginning and end of the results page: title, headline and machine; method."""

from __future__ import annotations

from textual.content import Content

from ...engine.analysis.analysis import Analysis
from ...engine.analysis.environment import hardware
from ...engine.analysis.report.method import method
from ...engine.analysis.report.provenance import origins
from ...engine.analysis.trained import trained
from ...engine.record.session import Session
from ...engine.text.plain import unbroken
from ...engine.text.units import date_time
from .drawing.grid import wrapped


def title_line(session: Session, is_over: bool) -> Content:
    """Return the session's title and name, and its state unless it finished normally."""
    if session.outcome is None:
        state = "interrupted: its process is gone" if is_over else "so far"
    else:
        # The headline below says by what it was interrupted.
        states = {"finished": "", "stopped": "stopped early", "interrupted": "interrupted"}
        state = states[session.outcome]
    parts: list[Content | str | tuple[str, str]] = [(unbroken(session.plan.title or session.name), "bold")]
    parts.append((f"  {session.name}", "$muted"))
    if state:
        parts.append((f"  {state}", "$text-warning"))
    return Content.assemble(*parts)


def opening(analysis: Analysis, width: int) -> Content:
    """Return what was trained, the headline, and when and where the session was measured.

    Trials and tunes begin with the headline.
    """
    session, results = analysis.session, analysis.results
    when = date_time(session.unix_time)
    measured = f"Measured {when} on {hardware(session)}; gpubench-tui {session.program}."
    goes_on = any(result.state in ("waiting", "running") for result in results)
    nothing = "Nothing to compare yet" if goes_on or not results else "Nothing was measured"
    sentence = analysis.headline or nothing
    in_vain = not any(result.windows for result in results) and any(
        each.state == "failed" for each in results
    )
    style = "bold $text-error" if in_vain else "bold"
    what = trained(session.plan)
    lines = [wrapped(what, width)] if what else []
    # The headline of these is about a change, of others about what was trained.
    answers_first = session.plan.trial is not None or session.plan.tune is not None
    lines.insert(0 if answers_first else len(lines), wrapped(f"{sentence}.", width, style))
    lines.append(wrapped(measured, width, "$muted"))
    return Content("\n").join(lines)


def closing(analysis: Analysis, width: int) -> Content:
    """Return how the figures were obtained."""
    paragraphs = [wrapped(line, width) for line in method(analysis)]
    for origin in origins(analysis.results):
        lead = f"{origin.figure} ({origin.kind}): "
        paragraphs.append(wrapped(origin.how, width, "$muted", lead=lead))
    return Content("\n").join(paragraphs)
