"""The search for the largest batch that fits: by doubling, then by halving the step.

It ends at what does not fit the devices' memory or the training set, or where throughput no longer grows. Not
to fit is a result, whether a run showed it or it is known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ...record.session import RunState
from ..results.throughput import run_summary
from .attempts import trouble_in_words

GROWTH = 1.02
"""Ratio of throughputs below which a larger batch is no longer faster."""
SLOW_IN_A_ROW = 2
"""Batches in a row that are no faster than one before them, after which no larger one is tried: a single one
may be noise."""
FINEST = 8
"""Inverse of the smallest step, as a share of the largest batch that fits."""


class BatchTried(Struct, frozen=True, kw_only=True):
    """A batch that was tried."""

    batch: int
    """Batch as the workload counts it."""
    fits: bool | None
    """Whether it could be trained; None while it is measured."""
    throughput: float | None = None
    """In samples/s, from one run."""
    why: str = ""
    """Reason that it could not be trained."""


class BatchSearch(Struct, frozen=True, kw_only=True):
    """The search for the largest batch, as far as it has gone."""

    number: int
    """Number of the attempt."""
    tried: tuple[BatchTried, ...]
    """Batches in the order in which they were tried, after the one that the search began with."""
    next: int | None
    """Batch to try next; None at the end."""
    ended: str
    """Reason of the end; empty before."""
    largest: int
    """Largest batch known to fit."""
    fastest: int
    """Batch of the greatest throughput; the first one where none is faster."""


def batch_search(
    number: int,
    begin: BatchTried,
    tried: Sequence[BatchTried],
    *,
    known_not_to_fit: Mapping[int, str],
    multiple: int = 1,
) -> BatchSearch:
    """Return how the search stands.

    `begin`: the batch of the best settings so far. `known_not_to_fit`: reasons for batches that need no run.
    `multiple`: each batch is one of it.
    """
    known = {batch: BatchTried(batch=batch, fits=False, why=why) for batch, why in known_not_to_fit.items()}
    known |= {each.batch: each for each in tried}
    found: list[BatchTried] = []
    following, ended = _following(begin, found, multiple)
    while following is not None and following in known:
        found.append(known[following])
        following, ended = _following(begin, found, multiple)
    fit = [begin, *(each for each in found if each.fits)]
    fastest = max(fit, key=lambda each: each.throughput or 0.0)
    is_faster = (fastest.throughput or 0.0) > GROWTH * (begin.throughput or 0.0)
    return BatchSearch(
        number=number,
        tried=tuple(found),
        next=following,
        ended=ended,
        largest=max(each.batch for each in fit),
        fastest=fastest.batch if is_faster else begin.batch,
    )


def _following(begin: BatchTried, tried: Sequence[BatchTried], multiple: int) -> tuple[int | None, str]:
    """Return the batch to try next, or None and why none is."""
    if any(each.fits is None for each in tried):
        return None, ""
    fit = sorted([begin, *(each for each in tried if each.fits)], key=lambda each: each.batch)
    low = fit[-1]
    before = max((each.throughput or 0.0 for each in fit[:-SLOW_IN_A_ROW]), default=0.0)
    if before and all((each.throughput or 0.0) < GROWTH * before for each in fit[-SLOW_IN_A_ROW:]):
        return None, f"throughput no longer grows up to batch {low.batch:,}"
    too_large = [each.batch for each in tried if not each.fits and each.batch > low.batch]
    if not too_large:
        return 2 * low.batch, ""
    step = (min(too_large) - low.batch) // 2 // multiple * multiple
    if step < max(1, low.batch // FINEST):
        failed = next(each for each in tried if each.batch == min(too_large))
        return None, f"batch {failed.batch:,} does not fit: {failed.why}"
    return low.batch + step, ""


def batches_tried(runs: Iterable[RunState]) -> list[BatchTried]:
    """Return what the runs of a search found, those that did not come to an end left out."""
    found = []
    for run in runs:
        batch = run.spec.workload.batch
        if run.state == "measured":
            found.append(BatchTried(batch=batch, fits=True, throughput=run_summary(run).throughput))
        elif run.state in ("failed", "skipped"):
            found.append(BatchTried(batch=batch, fits=False, why=trouble_in_words(run)))
        elif run.state in ("waiting", "running"):
            found.append(BatchTried(batch=batch, fits=None))
    return found
