"""The results of a session as one SVG picture: title, environment, and every chart that applies."""

from __future__ import annotations

from collections.abc import Iterator

from ...text.units import date_time, interval, number, ratio
from ..analysis import Analysis
from ..environment import hardware
from ..report.columns import remarks
from ..results.result import Result
from ..trained import trained
from .curves import batch_chart, epochs_chart
from .steps import steps_chart
from .style import HEADING, SENTENCE, SMALL, SUBTITLE, style
from .svg import Drawing, element, group, label, paragraph, stack, words
from .throughput import runs_chart

WIDTH, MARGIN = 880.0, 28.0
"""Width of a README on GitHub and margin around the picture, in pixels."""
MOST_DIAGNOSES, MOST_FINGERPRINTS = 3, 3
"""Most items shown; the report lists all."""


def svg_report(analysis: Analysis) -> str:
    """Render the picture of a session, as far as it has gone."""
    width = WIDTH - 2 * MARGIN
    blocks = [stack(list(_opening(analysis, width)), 5), *_charts(analysis, width)]
    page = stack(blocks, 24)
    height = page.height + 2 * MARGIN
    frame = element("rect", x=0.5, y=0.5, width=WIDTH - 1, height=height - 1, rx=8, class_="page frame")
    return (
        element(
            "svg",
            element("title", words(analysis.session.plan.title or analysis.session.name), id="title"),
            element("desc", words(_in_words(analysis)), id="desc"),
            element("style", style()),
            frame,
            group(page.elements, MARGIN, MARGIN),
            xmlns="http://www.w3.org/2000/svg",
            **{"xml:space": "preserve"},
            viewBox=f"0 0 {WIDTH:g} {height:g}",
            width=WIDTH,
            height=height,
            role="img",
            aria_labelledby="title desc",
        )
        + "\n"
    )


def _opening(analysis: Analysis, width: float) -> Iterator[Drawing]:
    session, found = analysis.session, analysis.results
    yield paragraph(session.plan.title or session.name, "ink heading", HEADING, width)
    if what := trained(session.plan):
        yield paragraph(what, "muted small", SMALL, width)
    if analysis.headline:
        yield paragraph(f"{analysis.headline}.", "ink sentence", SENTENCE, width)
    yield paragraph(f"Measured on {hardware(session)}.", "muted small", SMALL, width)
    when = date_time(session.unix_time)
    facts = [
        when,
        f"gpubench-tui {session.program}",
        f"preset {session.plan.preset}",
        f"session {session.name}",
    ]
    prints = list(dict.fromkeys(result.fingerprint for result in found if result.fingerprint))
    if 0 < len(prints) <= MOST_FINGERPRINTS:
        facts.append(f"fingerprint{'s' if len(prints) > 1 else ''} {' '.join(prints)}")
    yield paragraph(", ".join(facts) + ".", "muted small", SMALL, width)
    if session.outcome is None:
        yield paragraph("The session had not ended, or was interrupted.", "ink small strong", SMALL, width)
    elif session.outcome == "stopped":
        yield paragraph("The session was stopped early.", "ink small strong", SMALL, width)
    elif session.outcome == "interrupted":
        why = f"The session was interrupted: {session.reason}."
        yield paragraph(why, "ink small strong", SMALL, width)
    grave = [each for each in analysis.diagnoses if each.severity != "info"]
    for each in grave[:MOST_DIAGNOSES]:
        yield paragraph(f"{each.severity}: {each.sentence}", "ink small", SMALL, width)


def _charts(analysis: Analysis, width: float) -> Iterator[Drawing]:
    """Yield each chart under its title."""
    found = analysis.results
    charts = (
        ("Throughput", runs_chart(found, width, analysis.headline) if found else None),
        ("Throughput over batch size", batch_chart(found, width)),
        ("Step time breakdown", steps_chart(found, width)),
        ("Learning curves", epochs_chart(analysis.configurations, width)),
    )
    for title, chart in charts:
        if chart is not None:
            heading = Drawing(SUBTITLE + 4, (label(0, SUBTITLE, title, "ink subtitle"),))
            yield stack([heading, chart], 8)


def _in_words(analysis: Analysis) -> str:
    """Return a text alternative to the picture."""
    session = analysis.session
    texts = [f"{analysis.headline}."] if analysis.headline else []
    texts += [f"{result.label}: {_figures(result)}." for result in analysis.results]
    what = trained(session.plan)
    texts += [f"Trained: {what}."] if what else []
    return " ".join([*texts, f"Measured on {hardware(session)} with gpubench-tui {session.program}."])


def _figures(result: Result) -> str:
    if result.throughput is None:
        return "; ".join(remarks(result)) or result.state
    text = f"{number(result.throughput)} {result.unit}/s"
    if result.interval is not None:
        text += f" (95% interval {interval(result.interval)})"
    if result.speedup is not None and result.run != result.baseline:
        text += f", speedup {ratio(result.speedup)}"
        if result.speedup_interval is not None:
            text += f" ({interval(result.speedup_interval, ratio)})"
    return text
