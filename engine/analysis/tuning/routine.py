"""Routine remedies: settings that commonly help, whatever the diagnoses say.

A tune tries them after the remedies of diagnoses. None has a ceiling, as no evidence speaks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from msgspec.structs import replace

from ...host.facts import Host
from ...host.variables import switches_on
from ...plan.changed_run import changes_in_effect
from ...plan.limits import BF16_SINCE
from ...plan.plan import RunSpec
from ...plan.remedy import Remedy
from ...plan.workload.models import TORCHVISION
from ...plan.workload.trainings import makes_batches
from ..diagnosis.remedies import channels_last, compiled

COMPILES_SINCE = (7, 0)
"""First compute capability for which Triton makes kernels, torch's compiler for GPUs."""
NO_COMPILER = ("TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE")
"""Variables that switch torch's compiler off."""
WITHOUT_CONVOLUTIONS = ("vit", "swin")
"""Beginnings of the names of image models whose only convolution cuts the image into patches."""
PREFETCHED = 8
"""Batches that a loader worker has ready to even out its pace."""

Condition = Callable[[RunSpec, Host], bool]


def routine_remedies(spec: RunSpec, host: Host) -> Iterator[Remedy]:
    """Yield the routine remedies that change what a run does on its host, in the order to try them in."""
    for remedy, helps in ROUTINE:
        try:
            changes = changes_in_effect(spec, remedy.changes) if helps(spec, host) else {}
        except msgspec.ValidationError:  # of a journal that no plan of this program wrote
            continue
        if changes:
            yield replace(remedy, changes=changes)


def is_slow_to_start(remedy: Remedy) -> bool:
    """Return whether the first run with a remedy begins late, as the compiler takes its time."""
    return remedy.changes.get("compile") is True


def _capabilities(spec: RunSpec, host: Host) -> list[tuple[int, int]]:
    """Return the compute capability of each of a run's GPUs that is known, newest first; none on CPUs."""
    own = {device.index for device in spec.devices if device.kind == "cuda"}
    known = [gpu.compute_capability for gpu in host.gpus if gpu.index in own]
    return sorted((each for each in known if each is not None), reverse=True)


def _on_gpus(spec: RunSpec, _: Host) -> bool:
    return any(device.kind == "cuda" for device in spec.devices)


def _on_new_gpus(spec: RunSpec, host: Host) -> bool:
    return _on_gpus(spec, host) and not _on_old_gpus(spec, host)


def _on_old_gpus(spec: RunSpec, host: Host) -> bool:
    return any(each < BF16_SINCE for each in _capabilities(spec, host))


def _in_32_bits(spec: RunSpec, host: Host) -> bool:
    return spec.workload.precision in ("fp32", "tf32") and not _on_old_gpus(spec, host)


def _in_32_bits_on_old_gpus(spec: RunSpec, host: Host) -> bool:
    return spec.workload.precision == "fp32" and _on_old_gpus(spec, host)


def _in_fp32_on_new_gpus(spec: RunSpec, host: Host) -> bool:
    return spec.workload.precision == "fp32" and _on_new_gpus(spec, host)


def _has_convolutions(spec: RunSpec, _: Host) -> bool:
    workload = spec.workload
    name = workload.model.removeprefix(TORCHVISION)
    is_known = workload.training == "images" and not name.startswith(WITHOUT_CONVOLUTIONS)
    return is_known and spec.mode != "fsdp"  # whose weights lie as they are


def _has_convolutions_on_gpus(spec: RunSpec, host: Host) -> bool:
    return _on_gpus(spec, host) and spec.workload.training != "tokens"


def _synchronises(spec: RunSpec, _: Host) -> bool:
    return spec.device_count > 1


def _sends_32_bits(spec: RunSpec, host: Host) -> bool:
    return _synchronises(spec, host) and spec.workload.compress_gradients == "none"


def _loads(spec: RunSpec, _: Host) -> bool:
    return not makes_batches(spec.workload)


def _loads_to_gpus(spec: RunSpec, host: Host) -> bool:
    return _loads(spec, host) and _on_gpus(spec, host)


def _prefetches_little(spec: RunSpec, host: Host) -> bool:
    return _loads(spec, host) and spec.workload.prefetch < PREFETCHED


def _can_compile(spec: RunSpec, host: Host) -> bool:
    """Return whether torch can compile a run's model on its host, as far as that is recorded."""
    is_new = all(each >= COMPILES_SINCE for each in _capabilities(spec, host))
    return spec.mode != "dp" and is_new and not switches_on(host.variables or "", NO_COMPILER)


ROUTINE: tuple[tuple[Remedy, Condition], ...] = (
    (Remedy(name="bf16", changes={"precision": "bf16"}, costs=("numerics",)), _in_32_bits),
    (Remedy(name="fp16", changes={"precision": "fp16"}, costs=("numerics",)), _in_32_bits_on_old_gpus),
    (Remedy(name="tf32", changes={"precision": "tf32"}, costs=("numerics",)), _in_fp32_on_new_gpus),
    (channels_last(), _has_convolutions),
    (
        Remedy(name="cuDNN's own choice", changes={"cudnn_benchmark": True}),
        _has_convolutions_on_gpus,
    ),
    (
        Remedy(name="bf16 gradients", changes={"compress_gradients": "bf16"}, costs=("numerics",)),
        _sends_32_bits,
    ),
    (
        Remedy(name="weights kept gathered", changes={"reshard_after_forward": False}, costs=("memory",)),
        _synchronises,
    ),
    (Remedy(name="gradients in buckets", changes={"gradient_as_bucket_view": True}), _synchronises),
    (
        Remedy(name="static graph", changes={"static_graph": True, "find_unused_parameters": False}),
        _synchronises,
    ),
    (Remedy(name="pinned memory", changes={"pin_memory": True}), _loads_to_gpus),
    (Remedy(name="more prefetching", changes={"prefetch": PREFETCHED}), _prefetches_little),
    (compiled(), _can_compile),
)
"""The routine remedies, each with the runs that it may help: what commonly brings much comes first, and last
what takes long to try. Keys without effect in a run, such as ddp's in another mode, change nothing there."""
