"""Learning rates in proportion to the batch that a training sees (Goyal et al. 2017)."""

from __future__ import annotations

from msgspec.structs import replace

from .plan import RunSpec
from .workload.workload import Workload


def with_scaled_rates(spec: RunSpec) -> RunSpec:
    """Return a planned run whose learning rates are those of its batch, where they are meant for another."""
    return replace(spec, workloads=tuple(_scaled(workload, spec) for workload in spec.workloads))


def with_rates_as_given(spec: RunSpec) -> RunSpec:
    """Return a run with the learning rates of its preset, before they were scaled to its batch."""
    return replace(spec, workloads=tuple(_as_given(workload, spec) for workload in spec.workloads))


def _scaled(workload: Workload, spec: RunSpec) -> Workload:
    if workload.learning_rate_batch is None:
        return workload
    batch = _batch_seen(workload, spec)
    return replace(workload, learning_rate=workload.learning_rate * batch / workload.learning_rate_batch)


def _as_given(workload: Workload, spec: RunSpec) -> Workload:
    if workload.learning_rate_batch is None:
        return workload
    batch = _batch_seen(workload, spec)
    return replace(workload, learning_rate=workload.learning_rate * workload.learning_rate_batch / batch)


def _batch_seen(workload: Workload, spec: RunSpec) -> int:
    """Return the samples of each step of a training: of one device where each trains a model of its own."""
    return workload.batch * workload.accumulate if spec.mode == "concurrent" else spec.global_batch
