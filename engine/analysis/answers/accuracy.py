"""The answer to what a large batch costs in accuracy, and what a scaled learning rate wins back of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...text.units import percent, ratio
from ..results.result import Result
from .inquiry import Inquiry, Sentence
from .words import capitalised

CHANCE = 1.96
"""Standard errors within which a difference of accuracies may be chance, with 95% confidence."""


def cost_in_accuracy(inquiry: Inquiry) -> Sentence | None:
    """Answer with the accuracy lost against the baseline, and that of the run with a scaled rate.

    As in `11.0 points of accuracy (73.9% with large against 84.9% with small); with large-scaled 1.2 points`.
    """
    pairs = [
        (each, baseline)
        for each in inquiry.with_figures
        if (baseline := inquiry.baseline(each)) is not None
        and each.test_accuracy is not None
        and baseline.test_accuracy is not None
    ]
    if not pairs:
        return None
    plain = [pair for pair in pairs if inquiry.spec(pair[0]).workload.learning_rate_batch is None]
    scaled = [pair for pair in pairs if pair not in plain]
    clauses = [_loss(inquiry, *pair, by_rate=False) for pair in plain]
    clauses += [_loss(inquiry, *pair, by_rate=True) for pair in scaled]
    clauses += _speed([each for each, _ in pairs])
    return Sentence(capitalised("; ".join(clauses)), _about(pairs))


def _about(pairs: Sequence[tuple[Result, Result]]) -> tuple[Result, ...]:
    return tuple({one.run: one for pair in pairs for one in pair}.values())


def _loss(inquiry: Inquiry, result: Result, baseline: Result, *, by_rate: bool) -> str:
    ours, theirs = result.test_accuracy or 0.0, baseline.test_accuracy or 0.0
    points = abs(theirs - ours) * 100
    rate = ", at a learning rate in proportion" if by_rate else ""
    where = f"{percent(ours)} with {result.workload}{rate} against {percent(theirs)} with {baseline.workload}"
    if abs(theirs - ours) <= _chance(inquiry, result, baseline):
        return f"no measurable loss of accuracy ({where})"
    kind = "lost" if ours < theirs else "gained"
    return f"{points:.1f} points of accuracy {kind} ({where})"


def _chance(inquiry: Inquiry, result: Result, baseline: Result) -> float:
    """Return the difference of two accuracies that the size of the test set alone explains."""
    variance = 0.0
    for each in (result, baseline):
        accuracy = each.test_accuracy or 0.0
        ranks = (rank for _, rank in inquiry.configuration(each).ranks)
        samples = max((rank.test_samples or 0 for rank in ranks), default=0)
        variance += accuracy * (1 - accuracy) / samples if samples else 0.0
    return CHANCE * math.sqrt(variance)


def _speed(found: Sequence[Result]) -> list[str]:
    faster = [each.speedup for each in found if each.speedup is not None]
    if not faster:
        return []
    low, high = min(faster), max(faster)
    many = f"{ratio(low)} to {ratio(high)}" if ratio(low) != ratio(high) else ratio(low)
    return [f"trains {many} as fast"]
