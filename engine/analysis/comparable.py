"""Whether two runs may be compared: everything but the variable under test must be equal."""

from __future__ import annotations

from collections.abc import Mapping

from ..plan.plan import RunSpec
from ..plan.preset import Workload
from ..record.session import RunState

Setting = str | int | float | bool

UNDER_TEST = frozenset({"affinity", "backend", "nccl", "batch_per_device", "global_batch"})
"""Settings in which the runs of a matrix differ by design."""
SCHEDULE = frozenset({"learning_rate", "learning_rate_batch", "warmup_epochs", "milestones", "gamma"})
"""What of a recipe decides what is learnt, and not how long a step takes."""


def differences(run: RunState, baseline: RunState) -> tuple[str, ...]:
    """What differs between two runs beside mode, devices and batch; empty when they are comparable.

    Every rank of the run is held against the first rank of the baseline.
    """
    found = workload_differences(run.spec.workload, baseline.spec.workload)
    found += _gpu_differences(run.spec, baseline.spec)
    first = min(baseline.ranks, default=None)
    if first is not None:
        for rank in run.ranks.values():
            found += setting_differences(rank.settings, baseline.ranks[first].settings)
    return tuple(dict.fromkeys(found))


def setting_differences(ours: Mapping[str, Setting], theirs: Mapping[str, Setting]) -> list[str]:
    """Settings of one rank that differ from another's, `NAME: OURS against THEIRS`."""
    return [
        f"{key}: {ours.get(key, 'not recorded')} against {theirs.get(key, 'not recorded')}"
        for key in dict.fromkeys([*ours, *theirs])
        if key not in UNDER_TEST | SCHEDULE and ours.get(key) != theirs.get(key)
    ]


def workload_differences(ours: Workload, theirs: Workload) -> list[str]:
    """What differs between two workloads beside their names, batches and learning rates."""
    alike = SCHEDULE | {"name", "batch", "batch_scope"}
    fields = (name for name in Workload.__struct_fields__ if name not in alike)
    return [
        f"{name}: {getattr(ours, name)} against {getattr(theirs, name)}"
        for name in fields
        if getattr(ours, name) != getattr(theirs, name)
    ]


def _gpu_differences(ours: RunSpec, theirs: RunSpec) -> list[str]:
    a, b = ({device.name for device in spec.devices if device.kind == "cuda"} for spec in (ours, theirs))
    return [f"GPUs: {', '.join(sorted(a))} against {', '.join(sorted(b))}"] if a != b else []
