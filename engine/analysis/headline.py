"""The session in one sentence: the answer to its question, what spoils it, and how the session fell short."""

from __future__ import annotations

from collections.abc import Sequence

from ..text.units import percent
from .answers.ending import nothing_measured, shortfall
from .answers.inquiry import HOLDS_BACK, Inquiry
from .answers.kinds import best_answer
from .answers.plain import name_of
from .answers.tune import what_helped
from .results.result import Result
from .tuning.tuning import tuning_of

MOSTLY_IDLE = 1 / 3
"""Idle share of a GPU above which a figure says more about the host than about the GPU."""


def headline(inquiry: Inquiry) -> str:
    """Return the answer to the question, followed by what limits, explains or discredits its figures.

    If everything that could be measured has failed, it says so; it is empty before there is anything to say.
    """
    if inquiry.session.plan.tune is not None:
        return _of_tune(inquiry)
    sentence = best_answer(inquiry)
    if sentence is None:
        return nothing_measured(inquiry)
    about = sentence.about
    return f"{sentence.text}{_limit(about)}{_remarks(inquiry, about)}{shortfall(inquiry)}"


def _of_tune(inquiry: Inquiry) -> str:
    """Return what a tune found, and what discredits its confirmation, or before that its start."""
    tuning, said = tuning_of(inquiry.session), what_helped(inquiry.session)
    if tuning is None or not said:
        return ""
    decisive = tuning.confirmation or (tuning.start,)
    return said + doubt(inquiry, *(each for each in inquiry.results if each.run in decisive))


def doubt(inquiry: Inquiry, *results: Result) -> str:
    """Return a clause that names what discredits these results, as `; not credible: drift`; or nothing."""
    names = [name for name in inquiry.severe(*results) if name not in HOLDS_BACK]
    return f"; not credible: {', '.join(names)}" if names else ""


def _remarks(inquiry: Inquiry, results: Sequence[Result]) -> str:
    """Return clauses that name the severe diagnoses of these results; empty if there are none."""
    names = [name for name in inquiry.severe(*results) if name in HOLDS_BACK]
    return doubt(inquiry, *results) + (f"; severe: {', '.join(names)}" if names else "")


def _limit(results: Sequence[Result]) -> str:
    """Return a clause on a GPU that was mostly idle, which limits what a figure means; else nothing."""
    found = [(each.compute.idle, each) for each in results if each.compute and each.compute.idle is not None]
    idle, worst = max(found, key=lambda each: each[0], default=(0.0, None))
    if worst is None or idle < MOSTLY_IDLE:
        return ""
    whose = "the GPU" if worst.devices == 1 else "a GPU"
    where = f" of {name_of(worst)}" if len(results) > 1 else ""
    return f", limited by the host: {whose}{where} was idle for {percent(idle)} of the time"
