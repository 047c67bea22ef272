"""The answer of a tune: what all that was kept brings, and how many changes that took."""

from __future__ import annotations

from ...record.session import Session
from ...text.units import count, rate
from ..tuning.step import NO_REMEDY
from ..tuning.tuning import Tuning, tuning_of
from ..tuning.words import estimate_in_words, left_out_in_words
from .words import listed

MOST_NAMED = 4
"""Changes that are named at most."""


def what_helped(session: Session) -> str:
    """Return the total gain and the changes behind it; empty before the start was measured.

    As in `1.84x (95%: 1.79x to 1.88x) by 3 of 7 changes: resident data, bf16 gradients and batch 512`.
    """
    tuning = tuning_of(session)
    if tuning is None:
        return ""
    if tuning.ended and not tuning.attempts:
        return _nothing_tried(tuning)
    decided = [each for each in tuning.attempts if each.state != "measuring"]
    if not decided:
        start = tuning.start_throughput
        reached = "" if start is None else rate(start, tuning.unit)
        return reached and f"Nothing is decided yet: the start reaches {reached}"
    end = "" if tuning.ended in ("", NO_REMEDY) else f"; {tuning.ended}"
    return f"{_said(tuning)}{end}"


def _nothing_tried(tuning: Tuning) -> str:
    """Return why a tune ended without an attempt at a remedy."""
    if tuning.batch is None or not tuning.batch.ended:
        return "; ".join(filter(None, [f"Nothing was tried: {tuning.ended}", left_out_in_words(tuning)]))
    return f"No change helped: no larger batch is faster, up to {tuning.batch.largest:,}"


def _said(tuning: Tuning) -> str:
    kept = _kept(tuning)
    if not kept:
        none = f"No change helped: {count(len(tuning.attempts), 'change')} tried, none kept"
        return "; ".join(filter(None, [none, left_out_in_words(tuning) if tuning.ended else ""]))
    of = f"{len(tuning.kept_attempts)} of {count(len(tuning.attempts), 'change')}"
    more = [f"{len(kept) - MOST_NAMED} more"] if len(kept) > MOST_NAMED else []
    names = listed([*kept[:MOST_NAMED], *more])
    if tuning.confirmed:
        return f"{estimate_in_words(tuning.total)} by {of}: {names}"
    if tuning.confirmed is False:
        return f"{of} kept ({names}), but not confirmed: {estimate_in_words(tuning.total)} measured anew"
    return f"{of} kept{' so far' if not tuning.ended else ''}: {names}; not measured anew yet"


def _kept(tuning: Tuning) -> list[str]:
    """Return the names of the remedies that were kept, of several with the same keys the last one."""
    return list({frozenset(each.remedy.changes): each.remedy.name for each in tuning.kept_attempts}.values())
