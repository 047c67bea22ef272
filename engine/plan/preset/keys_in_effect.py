"""Keys of a workload that take effect in some runs only: no others need to agree on them."""

from __future__ import annotations

from collections.abc import Callable

from ..workload.trainings import own_training
from ..workload.workload import Workload
from .preset import Mode

_Condition = Callable[[Workload, Mode], bool]


def _of_images(workload: Workload, mode: Mode) -> bool:
    return not _of_tokens(workload, mode)


def _of_tokens(workload: Workload, _: Mode) -> bool:
    return workload.training == "tokens"


def _with_loader(workload: Workload, _: Mode) -> bool:
    return workload.placement == "loader"


def _with_ddp(_: Workload, mode: Mode) -> bool:
    return mode == "ddp"


CONDITIONS: dict[str, _Condition] = {
    "model": lambda workload, _: own_training(workload.training) is None,
    "classes": _of_images,
    "image_size": _of_images,
    "images": lambda workload, mode: _of_images(workload, mode) and workload.data == "synthetic",
    "sequence_length": _of_tokens,
    "vocabulary": _of_tokens,
    "tokens": lambda workload, mode: _of_tokens(workload, mode) and workload.data == "synthetic",
    "momentum": lambda workload, _: workload.optimizer == "sgd",
    "compile_mode": lambda workload, _: workload.compile,
    "loader_workers": _with_loader,
    "pin_memory": _with_loader,
    "prefetch": lambda workload, mode: _with_loader(workload, mode) and workload.loader_workers > 0,
    "bucket_mb": _with_ddp,
    "gradient_as_bucket_view": _with_ddp,
    "static_graph": _with_ddp,
    "find_unused_parameters": lambda _, mode: mode in ("ddp", "fsdp"),
    "compress_gradients": _with_ddp,
    "reshard_after_forward": lambda _, mode: mode == "fsdp",
}
"""Whether a key takes effect, of those that do not always."""


def takes_effect(key: str, workload: Workload, mode: Mode) -> bool:
    """Return whether a key of a workload changes what a run of that mode does."""
    condition = CONDITIONS.get(key)
    return condition is None or condition(workload, mode)
