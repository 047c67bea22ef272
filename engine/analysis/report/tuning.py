"""A tune and a trial as text, for reports and terminals: what was tried, and what each change brought."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ...plan.remedy import costs_in_words
from ...record.session import Session
from ...text.markdown import code_span, markdown_table, one_line, section
from ...text.tables import TextColumn, text_table
from ...text.toml import toml_value
from ...text.units import NOT_AVAILABLE, rate, ratio
from ..analysis import Analysis
from ..results.result import Result
from ..tuning.attempts import Tried
from ..tuning.batch import BatchSearch
from ..tuning.trial import trial_outcome
from ..tuning.tuning import Tuning, tuning_of
from ..tuning.words import estimate_in_words, interval_in_words, left_out_in_words, total_in_words

TITLES = ("#", "change", "outcome", "gain", "95%", "at most", "against", "why")
LEFT = {"change", "outcome", "against", "why"}
IMPORTANCE = {"95%": 1, "why": 2, "at most": 3, "against": 4, "#": 5}
"""Columns that a narrow terminal goes without, those of the highest number first."""


def tuning_section(session: Session) -> Iterator[str]:
    """Yield the report's section on a tune or a trial; nothing for other sessions."""
    tuning = tuning_of(session)
    if tuning is None:
        yield from _trial_section(session)
        return
    lines = [f"{one_line(total_in_words(tuning))}.{_end(tuning)}"]
    if tuning.tried:
        lines += ["", *markdown_table(TITLES, [_row(each) for each in tuning.tried], left=LEFT)]
        lines += ["", _HOW]
    if tuning.kept:
        lines += [
            "",
            f"Settings found: {', '.join(code_span(_setting(*each)) for each in tuning.kept.items())}.",
        ]
    if tuning.batch is not None:
        lines += ["", *(f"- {one_line(line)}" for line in batch_lines(tuning.batch, tuning.unit))]
    yield from section("Tune", lines)


_HOW = (
    "Gains are geometric means over pairs of runs taken in turns, with Student's t of their logarithms. A "
    "change is kept by a stricter bound, which allows for several looks and changes; the total is from pairs "
    "measured after all else."
)


def tuning_text(session: Session, width: int) -> list[str]:
    """Return a tune as lines for a terminal, within `width` columns if possible; none for other sessions."""
    tuning = tuning_of(session)
    if tuning is None or not (tuning.tried or tuning.batch):
        return []
    rows = [_row(each) for each in tuning.tried]
    columns = [
        TextColumn(title, [row[place] for row in rows], IMPORTANCE.get(title, 0), title in LEFT)
        for place, title in enumerate(TITLES)
    ]
    lines = text_table(columns, width) if rows else []
    for line in _batch_of(tuning):
        lines += textwrap.wrap(line, max(width, 20), subsequent_indent="  ")
    return lines


def _batch_of(tuning: Tuning) -> list[str]:
    return batch_lines(tuning.batch, tuning.unit) if tuning.batch is not None else []


def batch_lines(search: BatchSearch, unit: str) -> list[str]:
    """Return the search for the largest batch, a line for each batch and one for the end."""
    lines = []
    for each in search.tried:
        if each.fits is None:
            said = "is measured"
        elif each.fits:
            said = rate(each.throughput, unit)
        else:
            said = f"does not fit: {each.why}"
        lines.append(f"batch {each.batch:,}: {said}")
    if search.ended:
        lines.append(f"largest batch that fits: {search.largest:,}; the search ended: {search.ended}")
    return lines


def _end(tuning: Tuning) -> str:
    if not tuning.ended:
        return " The tune has not ended."
    trouble = f" {one_line(tuning.trouble)}." if tuning.trouble else ""
    left_out = f" {left_out_in_words(tuning)}." if left_out_in_words(tuning) else ""
    return f" The end: {one_line(tuning.ended)}.{trouble}{left_out}"


def _row(tried: Tried) -> tuple[str, ...]:
    gain, ceiling = tried.gain, tried.remedy.ceiling
    return (
        str(tried.number or ""),
        tried.remedy.name,
        tried.state,
        NOT_AVAILABLE if gain is None else ratio(gain.value),
        interval_in_words(gain),
        NOT_AVAILABLE if ceiling is None else ratio(ceiling),
        tried.diagnosis,
        tried.why,
    )


def _setting(key: str, value: object) -> str:
    return f"{key} = {toml_value(value)}"


def _trial_section(session: Session) -> Iterator[str]:
    """Yield the section on the remedy that a session tries."""
    outcome, trial = trial_outcome(session), session.plan.trial
    if outcome is None or trial is None:
        return
    gain, ceiling = outcome.gain, outcome.remedy.ceiling
    changes = ", ".join(code_span(_setting(*each)) for each in outcome.remedy.changes.items())
    lines = [
        f"- Tries {one_line(outcome.remedy.name)} ({changes}) against {one_line(outcome.diagnosis)}, "
        f"found in the run {code_span(trial.run)} of the session {code_span(trial.session)}",
    ]
    if outcome.remedy.costs:
        lines.append(f"- It {costs_in_words(outcome.remedy.costs)}")
    if gain is not None:
        lines.append(f"- Gain: {estimate_in_words(gain)}, from {gain.n} pairs of runs taken in turns")
    if ceiling is not None:
        lines.append(f"- At most {ratio(ceiling)} was possible by the evidence of the diagnosis")
    if outcome.cured is not None:
        lines.append(f"- The diagnosis {'is gone' if outcome.cured else 'remains'}")
    if outcome.why:
        lines.append(f"- {one_line(outcome.why)}")
    yield from section("Trial", lines)


def results_in_brief(analysis: Analysis) -> tuple[Result, ...]:
    """Return the results that a table shows: of a tune the start and the two sides of the confirmation.

    All others are tries, which the section on the tune sums up.
    """
    tuning = tuning_of(analysis.session)
    if tuning is None:
        return analysis.results
    shown = {tuning.start, *(tuning.confirmation or (tuning.best,))}
    return tuple(each for each in analysis.results if each.run in shown)
