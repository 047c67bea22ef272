"""FSDP2: every rank keeps a shard of each parameter, and gathers a block's whole ones when it computes it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from ..record.events import Piece
from .errors import TrainingError

CONTAINERS = (nn.ModuleList, nn.ModuleDict)
"""Modules that are never called themselves."""


def shard(model: nn.Module, device: torch.device) -> nn.Module:
    """The same model, each of its blocks sharded over all ranks, and with the root what belongs to none."""
    if device.type == "cpu" and not hasattr(torch.cpu.Stream, "record_event"):
        raise TrainingError(f"fsdp on a CPU needs torch 2.7 or newer, and {torch.__version__} is installed")
    if not averages(device):
        raise TrainingError(
            f"{dist.get_backend()} of torch {torch.__version__} adds gradients up where fsdp needs a mean: "
            "use a newer torch"
        )
    mesh = DeviceMesh.from_group(dist.group.WORLD, device.type)  # type: ignore[arg-type]
    for block in blocks_of(model):
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def averages(device: torch.device) -> bool:
    """Whether a mean over the ranks is one: gloo gave the sum in older versions, and did not say so."""
    ranks = dist.get_world_size()
    mean = torch.zeros(1, device=device)
    dist.reduce_scatter_tensor(
        mean, torch.full((ranks,), float(dist.get_rank()), device=device), op=dist.ReduceOp.AVG
    )
    return math.isclose(mean.item(), (ranks - 1) / 2, rel_tol=1e-3)


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The modules that are gathered one at a time: a chain's links, or else the model's direct children.

    A parameter that two of them share can only be gathered with the root: neither is a block.
    """
    found = list(_parts(_innermost(model)))
    owners = Counter(id(parameter) for part in found for parameter in part.parameters())
    return [part for part in found if all(owners[id(parameter)] == 1 for parameter in part.parameters())]


def pieces_of(model: nn.Module) -> list[Piece]:
    """What each sharded module gathers of its own, the innermost first; nothing of a model without shards."""
    pieces: list[Piece] = []
    taken: set[int] = set()
    for module in reversed([part for part in model.modules() if isinstance(part, FSDPModule)]):
        own = [parameter for parameter in module.parameters() if id(parameter) not in taken]
        taken |= {id(parameter) for parameter in own}
        size = sum(_padded_bytes(parameter) for parameter in own)
        if size:
            # The root's stay gathered from forward to backward, as backward begins with them.
            pieces.append(Piece(size, gathers=1 if module is model else 2))
    return pieces


def _padded_bytes(parameter: Tensor) -> int:
    """Of the equal shards of all ranks; a parameter is divided along its first dimension."""
    ranks, rows = dist.get_world_size(), len(parameter)
    return -(-rows // ranks) * ranks * (parameter.numel() // rows) * parameter.element_size()


def _innermost(model: nn.Module) -> nn.Module:
    """The model itself, where it is only wrapped."""
    children = list(model.children())
    alone = len(children) == 1 and not list(model.parameters(recurse=False))
    return _innermost(children[0]) if alone and list(children[0].children()) else model


def _parts(model: nn.Module) -> Iterator[nn.Module]:
    for child in model.children():
        own = [part for part in child.children() if list(part.parameters())]
        # A chain of composite modules, as of residual blocks, is opened; one of single layers is a block.
        chain = isinstance(child, nn.Sequential) and own and all(list(part.children()) for part in own)
        if chain or isinstance(child, CONTAINERS):
            yield from _parts(child)
        elif list(child.parameters()):
            yield child


def local(tensor: Tensor) -> Tensor:
    """What this rank holds of a tensor, in the same memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
