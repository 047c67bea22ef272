"""Rules on the cost of synchronising gradients."""

from __future__ import annotations

from collections.abc import Iterator

from ...plan.remedy import Remedy
from ...text.units import count, duration, percent
from ..results.communication import Communication
from .case import Case, Diagnosis, Subject
from .memory import is_full
from .overlap import hides_little, overlapping
from .remedies import fewer_steps, if_gone, offered, other_batch

NAME = "exposed communication"
SYNC_SHARE = 0.10
"""Share of a step above which the cost of gradient synchronisation is worth reducing."""
SYNC_SHARE_SEVERE = 0.20
LEAST_EXPOSED = 0.05
"""Exposed share of a step on the rank that waits least; above it, time is lost to communication itself
rather than to waiting."""

MANY_BUCKETS = 4
"""Fewest gradient buckets of which larger ones would be noticeably fewer."""
FEWER_BYTES = 'gradients sent in 16 bits (compress_gradients = "bf16")'


def exposed_communication(case: Case) -> Iterator[Diagnosis]:
    """Find runs in which synchronisation takes a large share of a step that no rank can hide."""
    for run in case.runs:
        communication, least = run.result.communication, _least_exposed(run)
        if communication is None or least is None or not _is_costly(communication, least):
            continue
        cost, share = communication.sync_cost, communication.sync_share
        hidden = (
            []
            if communication.overlap is None
            else [("hidden behind the backward pass", percent(communication.overlap))]
        )
        yield run.diagnosis(
            NAME,
            "severe" if share is not None and share > SYNC_SHARE_SEVERE else "warning",
            f"synchronising gradients takes {percent(share)} of each step, "
            "and the backward pass does not hide it",
            [
                ("sync cost of a step", duration(None if cost is None else cost.value)),
                ("share of the step", percent(share)),
                ("exposed on the rank that waits least", f"{percent(least)} of a step"),
                *hidden,
            ],
            _advice(run),
            offered(case, run, less_exposed(run, share)),
        )


def _least_exposed(run: Subject) -> float | None:
    """Return the exposed share of a step on the rank that waits least; None where it was not measured."""
    found, step = run.result.communication, run.result.step_seconds
    return min(found.exposed.values()) / step if found is not None and found.exposed and step else None


def _is_costly(found: Communication, least: float) -> bool:
    """Return whether synchronisation takes a large share of a step, in which no rank can hide it."""
    if found.sync_share is None or found.sync_cost is None or found.below_noise:
        return False
    return found.sync_share > SYNC_SHARE and least > LEAST_EXPOSED


def _is_cheap(run: Subject, found: Communication) -> bool:
    """Return whether synchronisation is not known to take more than a small share of a step."""
    cost, step = found.sync_cost, run.result.step_seconds
    if cost is None or not step:
        return False
    return (cost.interval[0] if cost.interval else cost.value) <= LEAST_EXPOSED * step


def _advice(run: Subject) -> str:
    """Return what lets a run send less, or less often, as far as it does not do so yet."""
    workload, communication = run.spec.workload, run.result.communication
    full = is_full(run)
    ways = [] if full else ["a larger batch per device"]
    ways.append(f"gradients accumulated over several batches (accumulate = {2 * workload.accumulate})")
    if workload.compress_gradients == "none":
        ways.append(FEWER_BYTES)
    if communication is not None and len(communication.buckets) >= MANY_BUCKETS:
        ways.append(f"larger buckets (bucket_mb = {4 * workload.bucket_mb:g})")
    said = f"{', '.join(ways[:-1])}, or {ways[-1]}" if len(ways) > 1 else ways[0]
    return f"{said}; there is no memory for a larger batch" if full else said


def less_exposed(run: Subject, share: float | None) -> Iterator[Remedy]:
    """Yield what lets a run send less, less often or better; synchronising takes a `share` of each step."""
    workload, communication, gone = run.spec.workload, run.result.communication, if_gone(share)
    if workload.compress_gradients == "none":
        changes = {"compress_gradients": "bf16"}
        yield Remedy(name="bf16 gradients", changes=changes, costs=("numerics",), ceiling=gone)
    if communication is not None and len(communication.buckets) >= MANY_BUCKETS:
        yield Remedy(name="larger buckets", changes={"bucket_mb": 4 * workload.bucket_mb}, ceiling=gone)
    yield Remedy(
        name="weights kept gathered",
        changes={"reshard_after_forward": False},
        costs=("memory",),
        ceiling=gone,
    )
    yield Remedy(
        name=f"accumulation over {2 * workload.accumulate} passes",
        changes={"accumulate": 2 * workload.accumulate},
        costs=("recipe",),
        ceiling=fewer_steps(run, share, 2),
    )
    if hides_little(run):
        yield from overlapping(run, _least_exposed(run))
    if not is_full(run):  # what else it speeds up is not known
        yield other_batch(2 * workload.batch, None)


def no_overlap(case: Case) -> Iterator[Diagnosis]:
    """Find runs of DDP that hide next to none of their communication, unless it is said to cost even more."""
    for run in case.runs:
        found, least = run.result.communication, _least_exposed(run)
        if found is None or least is None or least <= LEAST_EXPOSED or _is_costly(found, least):
            continue
        if hides_little(run) and not _is_cheap(run, found):
            yield run.diagnosis(
                "no overlap",
                "warning",
                f"the backward pass hides {percent(found.overlap)} of its communication",
                [
                    ("exposed on the rank that waits least", f"{percent(least)} of a step"),
                    ("gradients travel in", count(len(found.buckets), "bucket")),
                ],
                "smaller buckets (bucket_mb), so that the first leave early, static_graph = true, or "
                "gradient_as_bucket_view = true",
                offered(case, run, overlapping(run, least)),
            )
