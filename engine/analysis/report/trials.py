"""The trials of a session's remedies, and the session that a trial comes from, in reports."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ...record.session import Session
from ...text.markdown import code_span, one_line, section
from ..analysis import Analysis
from ..past_trial import PastTrial


def trials_section(analysis: Analysis) -> Iterator[str]:
    """Yield the section of Markdown that leads to the trials of the session's remedies."""
    lines = [f"- {code_span(each.session)}: {one_line(outcome_of_trial(each))}" for each in analysis.trials]
    return section("Trials of its remedies", lines)


def trials_text(analysis: Analysis, width: int) -> list[str]:
    """Return the same as lines for a terminal, wrapped at `width` columns."""
    return [
        line
        for each in analysis.trials
        for line in textwrap.wrap(
            f"tried in {each.session}: {outcome_of_trial(each)}", max(width, 20), subsequent_indent="  "
        )
    ]


def origin_of_trial(session: Session) -> str:
    """Return what a trial tries on which run of which session, one sentence without the full stop.

    It is empty for other sessions.
    """
    trial = session.plan.trial
    if trial is None:
        return ""
    attempt = next((spec.attempt for spec in session.plan.runs if spec.attempt is not None), None)
    remedy = attempt.remedy.name if attempt is not None and attempt.remedy is not None else "a remedy"
    against = f" against {attempt.diagnosis}" if attempt is not None and attempt.diagnosis else ""
    return f"{remedy}{against} on the run {trial.run} of {trial.session}"


def outcome_of_trial(trial: PastTrial) -> str:
    """Return what came of a trial, in a sentence without the full stop."""
    what = f"{trial.remedy} against {trial.diagnosis}"
    ended = "" if trial.state == "finished" else f" ({trial.state})"
    return f"{trial.headline or what}{ended}"
