"""Clauses of a headline on a session that did not measure all of its runs: why, and how many it did."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...record.events import SAME_WAY
from ...text.plain import cut_at_word, unbroken
from ...text.units import count
from ..results.result import Result
from .inquiry import Inquiry

PLACE = re.compile(r"^(?:rank [\d, or]+: )?\S[^:]*\.py:\d+, in [^:]+: ")
"""Place in a file at the beginning of a failure's message."""
LONGEST_REASON = 160
"""Characters of a reason at most."""
MOST_REASONS = 2
"""Reasons that are given at most."""


def nothing_measured(inquiry: Inquiry) -> str:
    """Return why nothing was measured; empty while something still may be, and for a session without runs."""
    found = inquiry.results
    if _goes_on(inquiry) or not found:
        return ""
    failed = [each for each in found if each.state == "failed"]
    if failed:
        return f"Failed: {_failures(inquiry, failed)}"
    if ended := _early_end(inquiry):
        return f"Nothing was measured: {ended}"
    skipped = [each for each in found if each.state == "skipped"]
    return "Nothing was measured" + (f": {_reasons(skipped, len(skipped))}" if skipped else "")


def shortfall(inquiry: Inquiry) -> str:
    """Return a clause on runs that failed and on the session's early end, as `; 1 of 3 runs failed: ...`."""
    failed = [each for each in inquiry.results if each.state == "failed"]
    clauses = []
    if failed:
        of = f"{len(failed)} of {count(len(_planned(inquiry)), 'run')} failed"
        clauses.append(f"{of}: {_reasons(failed, len(failed))}")
    if ended := _early_end(inquiry):
        measured = sum(each.state == "measured" for each in inquiry.results)
        clauses.append(f"{ended}, {measured} of {count(len(_planned(inquiry)), 'run')} measured")
    return "".join(f"; {clause}" for clause in clauses)


def _planned(inquiry: Inquiry) -> list[Result]:
    """Return the results of the runs that were not skipped by rule."""
    return [each for each in inquiry.results if inquiry.spec(each).skip is None]


def _goes_on(inquiry: Inquiry) -> bool:
    return any(each.state in ("waiting", "running") for each in inquiry.results)


def _early_end(inquiry: Inquiry) -> str:
    """Return how a session ended that did not come to the end of its plan; empty for others."""
    session = inquiry.session
    if session.outcome == "stopped":
        return "stopped by the user"
    if session.outcome == "interrupted":
        return f"interrupted: {_short(session.reason)}" if session.reason else "interrupted"
    return ""


def _failures(inquiry: Inquiry, failed: Sequence[Result]) -> str:
    """Return why a session failed in which nothing was measured, and what befell its other runs."""
    planned = len(_planned(inquiry))
    alike = sum(each.reason.startswith(SAME_WAY) for each in inquiry.results)
    if alike and len(failed) + alike == planned:
        return f"{_reasons(failed, planned)} ({len(failed)} of {planned} runs; {SAME_WAY})"
    if len(failed) == planned:
        runs = "its run" if planned == 1 else f"{'both' if planned == 2 else f'all {planned}'} runs"
        return _reasons(failed, planned, runs)
    return f"{_reasons(failed, planned)}{''.join(_others(inquiry, failed))}"


def _others(inquiry: Inquiry, failed: Sequence[Result]) -> Iterator[str]:
    yield f" ({len(failed)} of {count(len(inquiry.results), 'run')} failed"
    rest = [each for each in inquiry.results if each not in failed]
    alike = sum(each.reason.startswith(SAME_WAY) for each in rest)
    for number, what in (
        (alike, "would fail the same way"),
        (sum(each.state == "skipped" for each in rest) - alike, "skipped"),
        (sum(each.state == "stopped" for each in rest), "stopped"),
    ):
        if number:
            yield f", {number} {what}"
    yield ")"


def _reasons(found: Sequence[Result], planned: int, runs: str = "") -> str:
    """Return the reasons of results, the most frequent first, each with the number of its runs.

    `runs`: words for all of them, where they have one reason; by default none.
    """
    by_reason: dict[str, int] = {}
    for each in found:
        by_reason[_reason(each)] = by_reason.get(_reason(each), 0) + 1
    ranked = sorted(by_reason, key=lambda reason: -by_reason[reason])
    if len(ranked) == 1:
        return ranked[0] + (f" ({runs})" if runs and planned > 1 else "")
    texts = [f"{reason} ({count(by_reason[reason], 'run')})" for reason in ranked[:MOST_REASONS]]
    left = sum(by_reason[reason] for reason in ranked[MOST_REASONS:])
    return "; ".join(texts) + (f"; {count(left, 'run')} for other reasons" if left else "")


def _reason(result: Result) -> str:
    failure = result.failure
    if failure is None:
        return _short(result.reason or result.state)
    # What was raised names its kind itself.
    kind = "" if failure.kind in ("raised", "launch", "no data") else f"{failure.kind}: "
    message = _short(PLACE.sub("", unbroken(failure.message)))
    return message if failure.kind in message else f"{kind}{message}"


def _short(text: str) -> str:
    return cut_at_word(unbroken(text).strip(), LONGEST_REASON).rstrip(".")
