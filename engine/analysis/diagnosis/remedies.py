"""Remedies of diagnoses: which of them a run can have, and what each can bring at most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from ...host.facts import Host
from ...plan.changed_run import as_changed, changes_in_effect
from ...plan.limits import BF16_SINCE, refusal
from ...plan.plan import RunSpec
from ...plan.remedy import Remedy
from ...plan.workload.blocks import problem_with_checkpointing
from ...plan.workload.trainings import own_training
from ...plan.workload.workload import Precision
from .case import Case, Subject

OF_LOADING = frozenset({"placement", "loader_workers", "prefetch", "pin_memory", "augment"})
"""Keys without effect where a training's own file makes its batches."""
BYTES_OF_PIXEL = 3
"""Bytes of a pixel of a resident image."""


def offered(case: Case, run: Subject, remedies: Iterable[Remedy]) -> tuple[Remedy, ...]:
    """Return the remedies that would change what a run does and that its machine can do.

    That with the largest ceiling comes first, those without one last, and else they keep their order. No file
    is read for it: what a session has recorded decides.
    """
    found = [remedy for each in remedies for remedy in _possible(case.session.host, run, each)]
    return tuple(sorted(found, key=lambda remedy: -(remedy.ceiling or 0.0)))


def _possible(host: Host, run: Subject, remedy: Remedy) -> Iterator[Remedy]:
    """Yield the remedy with the changes that are not in effect yet; nothing where the run cannot have it."""
    spec = run.spec
    if spec.mode == "concurrent" or not spec.devices:
        return
    try:
        changes = changes_in_effect(spec, remedy.changes)
        if makes_own_batches(run):
            changes = {key: value for key, value in changes.items() if key not in OF_LOADING}
        changed = as_changed(spec, changes)
    except msgspec.ValidationError:  # of a journal that no plan of this program wrote
        return
    possible = refusal(changed, spec.devices, host) is None and has_enough_data(run, changed)
    if changes and possible and problem_with_checkpointing(changed.workload) is None:
        yield replace(remedy, changes=changes)


def makes_own_batches(run: Subject) -> bool:
    """Return whether a training's own file makes its batches: then the size of its data is not known."""
    return own_training(run.spec.workload.training) is not None and run.result.train_samples is None


def has_enough_data(run: Subject, changed: RunSpec) -> bool:
    """Return whether the training set of a run is large enough for a step of a changed one."""
    length = changed.workload.sequence_length if changed.workload.training == "tokens" else 1
    present = run.result.train_samples
    return present is None or changed.global_batch * length <= present


def if_gone(share: float | None) -> float | None:
    """Return the ratio of throughputs that is left where a share of each step is gone; None for no bound."""
    return 1 / (1 - share) if share is not None and 0 < share < 1 else None


def fewer_steps(run: Subject, share: float | None, factor: int) -> float | None:
    """Return the ratio where a share of each step, and the optimizer, come once for `factor` of them."""
    optimizer = run.result.phases.shares["optimizer"] if run.result.phases else 0.0
    return None if share is None else if_gone((share + optimizer) * (1 - 1 / factor))


def other_batch(batch: int, ceiling: float | None) -> Remedy:
    """Return the remedy that gives a pass so many samples."""
    changes = {"batch": batch}
    return Remedy(name=f"batch {batch}", changes=changes, costs=("recipe", "memory"), ceiling=ceiling)


def compiled() -> Remedy:
    """Return the remedy that compiles the model: it changes the kernels themselves, which bounds nothing."""
    return Remedy(name="compile", changes={"compile": True})


def channels_last() -> Remedy:
    """Return the remedy that stores images as convolutions on tensor cores read them."""
    return Remedy(name="channels last", changes={"channels_last": True})


def sixteen_bits(case: Case, run: Subject) -> Precision:
    """Return the precision of 16 bits that a run can have: bf16, or fp16 on GPUs that have no other."""
    gpus = [gpu for gpu in case.session.host.gpus if gpu.index in run.configuration.gpus]
    old = any(gpu.compute_capability is not None and gpu.compute_capability < BF16_SINCE for gpu in gpus)
    return "fp16" if old else "bf16"


def computing_in(precision: Precision, ceiling: float | None) -> Remedy:
    """Return the remedy that computes in another precision."""
    changes = {"precision": precision}
    return Remedy(name=precision, changes=changes, costs=("numerics",), ceiling=ceiling)


def resident_data(case: Case, run: Subject, ceiling: float | None) -> Iterator[Remedy]:
    """Yield the remedy that keeps all data in the devices' memory, where they fit by what is known."""
    workload, images, space = run.spec.workload, run.result.train_samples, _free_memory(case, run)
    needed = 0
    if images is not None and workload.training != "tokens":
        needed = BYTES_OF_PIXEL * workload.image_size**2 * images
    if space is None or needed < space:
        changes = {"placement": "device"}
        yield Remedy(name="resident data", changes=changes, costs=("memory",), ceiling=ceiling)


def _free_memory(case: Case, run: Subject) -> float | None:
    """Return the bytes that are free on a run's fullest device, or else all that it has; None if unknown."""
    found, host = run.result.compute, case.session.host
    if found is not None and found.headroom is not None and found.device_memory_bytes is not None:
        return found.headroom * found.device_memory_bytes
    if not run.configuration.gpus:
        return host.cpu.memory_bytes / run.spec.world_size
    known = [gpu.memory_bytes for gpu in host.gpus if gpu.index in run.configuration.gpus]
    return min((size for size in known if size is not None), default=None)
