"""DataParallel over devices that all are the CPU: what touches CUDA is replaced, with known delays."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

DELAYS = {"scatter": 0.01, "replicate": 0.02, "gather": 0.03, "reduce": 0.04, "forward": 0.05}
# Functions have the same names.
replicating = importlib.import_module("torch.nn.parallel.replicate")
data_parallel = importlib.import_module("torch.nn.parallel.data_parallel")


class Broadcast(torch.autograd.Function):
    """What torch's own does, which refuses tensors of a CPU."""

    @staticmethod
    def forward(ctx: Any, copies: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        time.sleep(DELAYS["replicate"])
        ctx.count = len(tensors)
        return tuple(tensor.clone() for _ in range(copies) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        time.sleep(DELAYS["reduce"])
        copies = [gradients[first : first + ctx.count] for first in range(0, len(gradients), ctx.count)]
        return (None, *(sum(same) for same in zip(*copies, strict=True)))  # type: ignore[arg-type]


def broadcast(tensors: Sequence[Tensor], devices: Sequence[int], detach: bool = False) -> list[list[Tensor]]:
    if detach or not tensors:
        return [list(tensors) for _ in devices]
    copies = Broadcast.apply(len(devices), *tensors)  # type: ignore[no-untyped-call]
    return [list(copies[first : first + len(tensors)]) for first in range(0, len(copies), len(tensors))]


def scatter(inputs: Any, kwargs: Any, devices: Sequence[int], dim: int = 0) -> Any:
    time.sleep(DELAYS["scatter"])
    return [(part,) for part in inputs[0].chunk(len(devices))], [{} for _ in devices]


def parallel_apply(replicas: Sequence[nn.Module], inputs: Any, kwargs: Any, devices: Any) -> list[Tensor]:
    time.sleep(DELAYS["forward"])
    return [replica(*given) for replica, given in zip(replicas, inputs, strict=True)]


def gather(outputs: Sequence[Tensor], device: int, dim: int = 0) -> Tensor:
    time.sleep(DELAYS["gather"])
    return torch.cat(list(outputs))


@contextmanager
def pretended() -> Iterator[None]:
    """Let DataParallel find the CPU where it looks for GPUs."""
    with (
        patch.object(replicating, "_broadcast_coalesced_reshape", broadcast),
        patch.multiple(data_parallel, scatter_kwargs=scatter, parallel_apply=parallel_apply, gather=gather),
    ):
        yield


def data_parallel_over(model: nn.Module, devices: int) -> nn.DataParallel[nn.Module]:
    """A DataParallel that takes the CPU for so many devices."""
    wrapped = nn.DataParallel(model)
    wrapped.dim, wrapped.output_device = 0, 0
    wrapped.device_ids, wrapped.src_device_obj = list(range(devices)), torch.device("cpu")
    return wrapped
