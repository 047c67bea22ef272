"""The cost of communication between a run's devices: time, bytes and bandwidth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Literal

from msgspec import Struct

from ... import statistics
from ...plan.plan import RunSpec
from ...record.events import BandwidthMeasured, Exchange
from ...record.session import RankState, RunState, Session
from ...statistics import Estimate
from .bandwidth import Curve, bus_factor, curve
from .baseline import throughput_ratio
from .buckets import (
    BucketSteps,
    GradientBucket,
    broadcasting,
    bucket_sizes,
    bucket_times,
    busy_seconds,
    exposed,
    overlap,
    steps_of,
)
from .comparable import differences, workload_differences
from .configuration import Configuration
from .datasheet import link_bandwidth, link_kind
from .throughput import run_summary
from .traffic import Sizes, Traffic, gradient_bytes, sizes_of, traffic


class Communication(Struct, frozen=True, kw_only=True):
    """Cost of communication of a run; bandwidths in B/s. None: not measured or not applicable."""

    bytes_per_step: int | None
    """Size of the gradients that DDP all-reduces in a step."""
    bytes_provenance: Literal["measured", "derived"] | None
    """`measured` from the buckets, or `derived` from the number of parameters."""
    traffic: tuple[Traffic, ...]
    """Traffic of a step over the links, derived from the mode's model."""
    buckets: tuple[GradientBucket, ...]
    """Gradient buckets in the order in which they became ready."""
    exposed_seconds: float | None
    """Time from a rank's last bucket being ready to the end of its last all-reduce, and that of
    broadcasting its buffers: mean over ranks of medians."""
    exposed: dict[int, float]
    """Exposed time by rank."""
    exposed_share: float | None
    """Exposed time over a step in the windows."""
    overlap: float | None
    """1 - exposed / (exposed or within the span from a rank's first bucket to its last all-reduce)."""
    broadcasting: dict[int, float]
    """Part of the exposed time that is DDP's broadcast of buffers, by rank, including the wait for rank 0."""
    exchange: dict[Exchange, float]
    """Time of each of DataParallel's operations in a step, mean over steps."""
    exchange_share: float | None
    """Total time of these operations over a step of the detail phase."""
    sync_cost: Estimate | None
    """Step time with synchronisation less that without, in s: median of alternate turns."""
    sync_share: float | None
    """Sync cost over a step with synchronisation."""
    predicted_seconds: float | None
    """Predicted time of a step's collectives: the sum of the curve's times at each bucket's size."""
    busbw: float | None
    """Bandwidth of all buckets: their bytes over the time in which at least one was under way."""
    utilisation: float | None
    """Time that the curve predicts for these buckets over the time in which one was under way."""
    curves: dict[str, Curve]
    """Bandwidth curves by collective; with repeats, their median at each size."""
    link: str | None
    """Slowest connection between two of the run's GPUs: `NV18`, `PHB`; None if unknown."""
    link_bandwidth: float | None
    """Datasheet rate of that link in one direction, from counted NVLinks or PCIe lanes."""
    wrapper: Estimate | None
    """X(DDP on one device) / X(single) at the same workload and batch: the cost of DDP itself."""

    @property
    def below_noise(self) -> bool:
        """Whether the interval of the sync cost contains 0."""
        return self.sync_cost is not None and self.sync_cost.contains(0.0)


def communication(
    session: Session,
    others: Sequence[Configuration],
    configuration: Configuration,
    window_step: float | None,
) -> Communication | None:
    """Return what a configuration's communication costs; None where its devices do not communicate.

    `others`: all configurations of the session. `window_step`: a step in the measured windows, s.
    """
    spec, runs = configuration.spec, configuration.usable
    wrapper = _wrapper(others, spec)
    if spec.mode in ("single", "concurrent") or (spec.device_count < 2 and wrapper is None):
        return None
    steps = _steps(runs)
    curves = _curves(runs)
    all_reduce = curves.get("all_reduce")
    model = _model(runs)
    buckets = bucket_times(steps, all_reduce) if steps else ()
    busy = busy_seconds(steps) if steps else None
    lingering = exposed(steps) if steps else {}
    late = fmean(lingering.values()) if lingering else None
    sizes = bucket_sizes(steps) if steps else ()
    size = sum(sizes)
    cost, share = _sync_cost(runs)
    needed = sum(map(all_reduce.seconds, sizes)) if all_reduce and sizes else None
    derived = gradient_bytes(spec, model) if model and spec.mode == "ddp" and spec.device_count > 1 else None
    exchange, exchange_share = _exchange(runs)
    kind = _link(session, spec)
    return Communication(
        bytes_per_step=size or derived,
        bytes_provenance="measured" if size else "derived" if derived else None,
        traffic=traffic(spec, model),
        buckets=buckets,
        exposed_seconds=late,
        exposed=lingering,
        exposed_share=late / window_step if late is not None and window_step else None,
        overlap=overlap(steps) if steps else None,
        broadcasting=broadcasting(steps) if steps else {},
        exchange=exchange,
        exchange_share=exchange_share,
        sync_cost=cost,
        sync_share=share,
        predicted_seconds=needed if spec.mode == "ddp" else _predicted_sharded(spec, curves, model),
        busbw=size * bus_factor("all_reduce", spec.device_count) / busy if busy else None,
        utilisation=needed / busy if needed and busy else None,
        curves=curves,
        link=kind,
        link_bandwidth=_link_bandwidth(session, spec, kind),
        wrapper=wrapper,
    )


def _steps(runs: Sequence[RunState]) -> list[BucketSteps]:
    """Return the bucket times of the repeats whose ranks all timed the same buckets."""
    found: list[BucketSteps] = []
    for run in runs:
        if run.spec.device_count < 2:
            continue
        ranks = {number: rank.communication for number, rank in run.ranks.items() if rank.communication}
        steps = steps_of(ranks, run.spec.world_size)
        if steps is not None and (not found or found[0].buckets == steps.buckets):
            found.append(steps)
    return found


def _ranks(runs: Sequence[RunState]) -> Iterator[RankState]:
    for run in runs:
        yield from run.ranks.values()


def _model(runs: Sequence[RunState]) -> Sizes | None:
    return next(
        (
            sizes_of(rank.parameters, rank.buffer_bytes, rank.pieces)
            for rank in _ranks(runs)
            if rank.parameters is not None
        ),
        None,
    )


def _exchange(runs: Sequence[RunState]) -> tuple[dict[Exchange, float], float | None]:
    """Return DataParallel's operations over all steps of all repeats, and their share of these steps."""
    found = [rank.breakdown for rank in _ranks(runs) if rank.breakdown and rank.breakdown.exchange]
    steps = [seconds for breakdown in found for seconds in breakdown.step]
    if not sum(steps):
        return {}, None
    totals: dict[Exchange, float] = {}
    for breakdown in found:
        for operation, seconds in breakdown.exchange.items():
            totals[operation] = totals.get(operation, 0.0) + sum(seconds)
    means = {operation: total / len(steps) for operation, total in totals.items()}
    return means, sum(totals.values()) / sum(steps)


def _sync_cost(runs: Sequence[RunState]) -> tuple[Estimate | None, float | None]:
    """Return the sync cost on the slowest rank over all turns, and its share of the step."""
    costs: list[float] = []
    steps: list[float] = []
    for run in runs:
        reported = [rank.communication for rank in run.ranks.values() if rank.communication]
        if len(reported) < run.spec.world_size:
            continue
        together = [max(turn) for turn in zip(*(each.synchronised for each in reported), strict=False)]
        apart = [max(turn) for turn in zip(*(each.unsynchronised for each in reported), strict=False)]
        costs += [a - b for a, b in zip(together, apart, strict=False)]
        steps += together[: len(apart)]
    if not costs:
        return None, None
    enough = len(costs) >= statistics.FEWEST
    cost = Estimate(
        statistics.median(costs), statistics.median_interval(costs) if enough else None, len(costs)
    )
    return cost, cost.value / statistics.median(steps)


def _curves(runs: Sequence[RunState]) -> dict[str, Curve]:
    """Return one curve for each collective, over all repeats."""
    measured: dict[str, list[BandwidthMeasured]] = {}
    for rank in _ranks(runs):
        for collective, bandwidth in rank.bandwidth.items():
            measured.setdefault(collective, []).append(bandwidth)
    ranks = runs[0].spec.world_size if runs else 1
    if ranks < 2:
        return {}
    curves = {collective: curve(repeats, ranks) for collective, repeats in measured.items()}
    return {collective: found for collective, found in curves.items() if found is not None}


def _predicted_sharded(spec: RunSpec, curves: dict[str, Curve], model: Sizes | None) -> float | None:
    """Predict FSDP's time: the all-gathers of every piece and the reduce-scatter of its gradients."""
    gather, scatter = curves.get("all_gather"), curves.get("reduce_scatter")
    if spec.mode != "fsdp" or gather is None or scatter is None or model is None:
        return None
    return sum(
        piece.gathers * gather.seconds(piece.bytes) + scatter.seconds(piece.reduced_bytes)
        for piece in model.pieces
    )


def _link(session: Session, spec: RunSpec) -> str | None:
    if spec.device_count < 2 or any(device.kind != "cuda" for device in spec.devices):
        return None
    return link_kind(session.host.links, [device.index for device in spec.devices])


def _link_bandwidth(session: Session, spec: RunSpec, kind: str | None) -> float | None:
    used = {device.index for device in spec.devices if device.kind == "cuda"}
    return link_bandwidth(kind, [gpu for gpu in session.host.gpus if gpu.index in used])


def _wrapper(others: Sequence[Configuration], spec: RunSpec) -> Estimate | None:
    """Return DDP on one device over single, if the plan has both for this run's workload and batch."""
    if spec.mode != "ddp":
        return None
    alone = _alike(others, spec, "single")
    wrapped = _alike(others, spec, "ddp")
    pairs = [(a, b) for a in wrapped for b in alone if a.spec.repeat == b.spec.repeat]
    if not pairs or any(differences(a, b) for a, b in pairs):
        return None
    return throughput_ratio(pairs)


def _alike(others: Sequence[Configuration], spec: RunSpec, mode: Literal["single", "ddp"]) -> list[RunState]:
    """Return the measured runs on one device in that mode with the same workload and batch per device."""
    for candidate in others:
        other = candidate.spec
        if (other.mode, other.device_count) != (mode, 1):
            continue
        same_batch = other.batch_per_device() == spec.batch_per_device()
        if same_batch and not workload_differences(other, spec):
            return [run for run in candidate.runs if run.state == "measured" and run_summary(run).throughput]
    return []
