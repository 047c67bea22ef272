"""FSDP2: every rank keeps a shard of each parameter, and gathers a block's parameters to compute it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from ...plan.workload.workload import Workload
from ...record.events import Piece
from ..device.devices import RankDevices
from ..errors import TrainingError
from ..precision import Autocast, keep_statistics_in_float32
from ..wrapping.blocks import blocks_of
from ..wrapping.dynamo import compile_blocks
from .sharding_fit import (
    WrittenInputs,
    give_scalars_a_dimension,
    parts_of_other_types,
    reduce_unused_parameters,
    refuse_sparse_gradients,
)


def shard(
    model: nn.Module,
    devices: RankDevices,
    workload: Workload,
    dtype: torch.dtype | None = None,
    prepare: Callable[[nn.Module], None] | None = None,
) -> nn.Module:
    """Shard each block of a model over all ranks, and with the root what belongs to none; return the model.

    With `dtype` the parameters are cast to it before they are gathered, and the model computes in it; its
    gradients are reduced, and its shards kept and optimised, in float32. `prepare` is called with each module
    before it is sharded, while its parameters are whole.
    """
    devices.require_sharding()
    if not averages(devices.first):
        raise TrainingError(
            f"{dist.get_backend()} of torch {torch.__version__} sums gradients up where fsdp needs "
            "their mean: use a newer torch"
        )
    mesh = DeviceMesh.from_group(dist.group.WORLD, devices.first.type)  # type: ignore[arg-type]
    for parameter in model.parameters():
        if not parameter.numel():
            parameter.requires_grad_(False)  # a gradient without values cannot be reduced
    if dtype is not None:
        keep_statistics_in_float32(model)
    refuse_sparse_gradients(model)
    give_scalars_a_dimension(model)
    # Where ranks may use different blocks, their collectives agree only if there is one unit.
    blocks = [] if workload.find_unused_parameters else blocks_of(model)
    if workload.compile:
        compile_blocks(blocks, workload.compile_mode)
    # Without a word from us, torch keeps the root's weights gathered, which backward begins with.
    kept: dict[str, Any] = {} if workload.reshard_after_forward else {"reshard_after_forward": False}
    others = [part for unit in (*blocks, model) for part in parts_of_other_types(unit, blocks)]
    # The units within others come first.
    for module in (*others, *blocks, model):
        if prepare is not None:
            prepare(module)
        policy = policy_of(module, dtype, casts_inputs=not isinstance(module, Autocast))
        fully_shard(module, mesh=mesh, mp_policy=policy, **kept)
    for block in (*others, *blocks):
        WrittenInputs(block)
    if workload.find_unused_parameters:
        reduce_unused_parameters(model)
    return model


def policy_of(unit: nn.Module, dtype: torch.dtype | None, *, casts_inputs: bool) -> MixedPrecisionPolicy:
    """Return how a unit's parameters are cast before they are gathered: those in float32 to `dtype`.

    A model's own choice of another type is kept. Autocast sees to the inputs itself, where they need it.
    """
    if dtype is None or all(parameter.dtype is not torch.float32 for parameter in unit.parameters()):
        return MixedPrecisionPolicy()
    return MixedPrecisionPolicy(dtype, torch.float32, cast_forward_inputs=casts_inputs)


def averages(device: torch.device) -> bool:
    """Return whether a mean over the ranks is one: older versions of gloo silently return the sum."""
    ranks = dist.get_world_size()
    mean = torch.zeros(1, device=device)
    dist.reduce_scatter_tensor(
        mean, torch.full((ranks,), float(dist.get_rank()), device=device), op=dist.ReduceOp.AVG
    )
    return math.isclose(mean.item(), (ranks - 1) / 2, rel_tol=1e-3)


def pieces_of(model: nn.Module, workload: Workload, dtype: torch.dtype | None = None) -> list[Piece]:
    """Return the piece of each sharded module, the innermost first; none of a model without shards.

    `workload` and `dtype` are what `shard` was told: parameters are gathered in that type.
    """
    pieces: list[Piece] = []
    taken: set[int] = set()
    for module in reversed([part for part in model.modules() if isinstance(part, FSDPModule)]):
        own = [parameter for parameter in module.parameters() if id(parameter) not in taken]
        taken |= {id(parameter) for parameter in own}
        gathered = sum(_padded(parameter) * _width(parameter, dtype) for parameter in own)
        reduced = sum(_padded(parameter) * parameter.element_size() for parameter in own)
        if gathered:
            # The root's parameters stay gathered from forward to backward, which begins with them.
            stays = module is model or not workload.reshard_after_forward
            pieces.append(Piece(gathered, (1 if stays else 2) * workload.accumulate, reduced))
    return pieces


def _padded(parameter: Tensor) -> int:
    """Return how many values the equal shards of all ranks hold; the first dimension is divided."""
    ranks, rows = dist.get_world_size(), len(parameter)
    return -(-rows // ranks) * ranks * math.prod(parameter.shape[1:])


def _width(parameter: Tensor, dtype: torch.dtype | None) -> int:
    """Return the bytes of a gathered value."""
    is_cast = dtype is not None and parameter.dtype is torch.float32
    return dtype.itemsize if dtype is not None and is_cast else parameter.element_size()


def local(tensor: Tensor) -> Tensor:
    """Return this rank's shard of a tensor, in the same memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
