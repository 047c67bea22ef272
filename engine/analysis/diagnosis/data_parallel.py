"""Rules on DataParallel, whose one process feeds all devices."""

from __future__ import annotations

from collections.abc import Iterator

from ...plan.remedy import Remedy
from ...text.units import duration, gib, percent, ratio
from ..results.baseline import throughput_ratio
from ..results.comparable import differences
from .case import Case, Diagnosis, Figure, Subject
from .exchange import SYNC_SHARE
from .remedies import offered

OVERHEAD = "DataParallel overhead"
USE_DDP = "use DistributedDataParallel: a process for each device, and only gradients are sent"


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
                OVERHEAD,
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
                USE_DDP,
                offered(case, run, [_ddp(1 / found.value)]),
            )


def data_parallel_exchange(case: Case) -> Iterator[Diagnosis]:
    """Find DataParallel runs whose exchange of data takes long, where no DDP was measured beside them."""
    for run in case.trained:
        share = run.result.communication.exchange_share if run.result.communication else None
        if not share or share <= SYNC_SHARE or any(_is_its_ddp(run, other) for other in case.trained):
            continue
        yield run.diagnosis(
            OVERHEAD,
            "warning",
            f"sending parameters, batches and outputs takes {percent(share)} of each step: one process feeds "
            "all devices",
            [*_exchange(run), *_traffic("through its busiest device", run), *_skew(run)],
            USE_DDP,
            offered(case, run, [_ddp(None)]),
        )


def _ddp(ceiling: float | None) -> Remedy:
    return Remedy(name="DistributedDataParallel", changes={"mode": "ddp"}, ceiling=ceiling)


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
