"""Rules on the cost of communication between devices."""

from __future__ import annotations

from collections.abc import Iterator

from ...text.units import duration, gib, percent, ratio
from ..results.baseline import throughput_ratio
from ..results.comparable import differences
from .case import Case, Diagnosis, Figure, Subject
from .memory import is_full

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
        communication, step = run.result.communication, run.result.step_seconds
        if (
            communication is None
            or communication.sync_share is None
            or communication.sync_cost is None
            or not communication.exposed
            or not step
        ):
            continue
        least = min(communication.exposed.values()) / step
        if communication.sync_share <= SYNC_SHARE or communication.below_noise or least <= LEAST_EXPOSED:
            continue
        hidden = (
            []
            if communication.overlap is None
            else [("hidden behind the backward pass", percent(communication.overlap))]
        )
        yield run.diagnosis(
            NAME,
            "severe" if communication.sync_share > SYNC_SHARE_SEVERE else "warning",
            f"synchronising gradients takes {percent(communication.sync_share)} of each step, "
            "and the backward pass does not hide it",
            [
                ("sync cost of a step", duration(communication.sync_cost.value)),
                ("share of the step", percent(communication.sync_share)),
                ("exposed on the rank that waits least", f"{percent(least)} of a step"),
                *hidden,
            ],
            _advice(run),
        )


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


def data_parallel_overhead(case: Case) -> Iterator[Diagnosis]:
    """Find DataParallel runs slower than DistributedDataParallel on the same devices."""
    for run in case.trained:
        ddp = next((other for other in case.trained if _is_its_ddp(run, other)), None)
        pairs = [
            (a, b)
            for a in run.configuration.runs
            for b in (ddp.configuration.runs if ddp else ())
            if a.spec.repeat == b.spec.repeat and a.complete_windows and b.complete_windows
        ]
        if ddp is None or not pairs or any(differences(a, b) for a, b in pairs):
            continue
        found = throughput_ratio(pairs)
        if found.value < 1 and not found.contains(1.0):
            yield run.diagnosis(
                "DataParallel overhead",
                "warning",
                f"{ratio(found.value)} the throughput of {ddp.result.label}: one process feeds all devices, "
                f"and sends them all parameters in each step{_cost(run)}",
                [
                    (f"throughput against {ddp.result.label}", ratio(found.value)),
                    *_exchange(run),
                    *_traffic("through its busiest device", run),
                    *_traffic(f"in {ddp.result.label}", ddp),
                    *_skew(run),
                ],
                "use DistributedDataParallel: a process for each device, and only gradients are sent",
            )


def _is_its_ddp(run: Subject, other: Subject) -> bool:
    ours, theirs = run.spec, other.spec
    return (
        (ours.mode, theirs.mode) == ("dp", "ddp")
        and (ours.device_count, ours.global_batch) == (theirs.device_count, theirs.global_batch)
        and ours.workloads == theirs.workloads
    )


def _cost(run: Subject) -> str:
    share = run.result.communication.exchange_share if run.result.communication else None
    return f"; its data exchange takes {percent(share)} of a step" if share else ""


def _exchange(run: Subject) -> Iterator[Figure]:
    """Yield the measured times of DataParallel's operations."""
    communication = run.result.communication
    if communication is not None and communication.exchange:
        operations = " + ".join(communication.exchange)
        together = duration(sum(communication.exchange.values()))
        yield (
            f"{operations} on its first device",
            f"{together}, {percent(communication.exchange_share)} of a step",
        )
        yield from (
            (f"{name} alone", f"{duration(each)} per step") for name, each in communication.exchange.items()
        )


def _traffic(what: str, run: Subject) -> Iterator[Figure]:
    sent = run.result.communication.traffic if run.result.communication else ()
    if sent:
        operations = " + ".join(dict.fromkeys(each.operation for each in sent))
        size = sum(each.link_bytes for each in sent)
        yield f"{what}, derived ({operations})", f"{size / 1e6:,.1f} MB per step"


def _skew(run: Subject) -> Iterator[Figure]:
    """Yield the peak memory of the first device, which gathers, beside that of the others."""
    for _, rank in run.configuration.ranks:
        peaks = [
            peak for peak in (rank.measured.peak_memory_bytes if rank.measured else ()) if peak is not None
        ]
        if len(peaks) == run.spec.device_count > 1:
            yield (
                "peak memory of its first device",
                f"{gib(peaks[0])}, of the others at most {gib(max(peaks[1:]))}",
            )
            return
