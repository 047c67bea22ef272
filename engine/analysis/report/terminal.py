"""The results table as plain text that fits a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ...text.grouping import group_labels
from ...text.tables import TextColumn, text_table
from ..analysis import Analysis
from ..environment import hardware
from ..results.result import Result
from ..trained import trained
from .columns import cell, remarks, result_columns, side_by_side
from .diagnosis import diagnosis_text
from .projection import projection_text
from .trials import origin_of_trial, trials_text
from .tuning import results_in_brief, tuning_text

INDENT = "  "


def session_text(analysis: Analysis, width: int) -> str:
    """Render results, headline, diagnoses and projection as a short text, without a line break at its end.

    The result of a trial or a tune comes first: its table is no answer.
    """
    measures_preset = analysis.session.plan.measures_preset
    parts = [terminal_report(analysis, width), "\n".join(tuning_text(analysis.session, width))]
    parts.insert(2 if measures_preset else 0, analysis.headline)
    parts.append("\n".join(diagnosis_text(analysis.diagnoses, width)))
    parts.append("\n".join(projection_text(analysis.projections, width)))
    parts.append("\n".join(trials_text(analysis, width)))
    return "\n\n".join(filter(None, parts))


def terminal_report(analysis: Analysis, width: int) -> str:
    """Render the results within `width` columns if possible; the least important columns are dropped."""
    session, found = analysis.session, results_in_brief(analysis)
    lines = [
        line
        for text in (session.plan.title, origin_of_trial(session), trained(session.plan), hardware(session))
        for line in textwrap.wrap(text, width)
    ]
    lines += ["", *text_table(_grid(found), width)]
    remarked = group_labels(
        (result.label, text) for result in found for text in remarks(result, analysis.headline)
    )
    remarked += [(result.label, text) for result in found for text in side_by_side(result)]
    if remarked:
        lines.append("")
    for labels, text in remarked:
        lines += textwrap.wrap(f"{labels}: {text}", max(width, 20), subsequent_indent=INDENT)
    return "\n".join(lines)


def _grid(found: Sequence[Result]) -> list[TextColumn]:
    return [
        TextColumn(
            column.title, [cell(column, result) for result in found], column.importance, column.is_text
        )
        for column in result_columns(found)
    ]
