"""A rank's model: built, given its weights, and wrapped as the run asks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from ..plan.plan import RunSpec
from ..plan.workload.user_code import user_code_of
from .device.devices import RankDevices
from .parallel.block_order import BlockOrder
from .parallel.group import Group
from .parallel.modes import wrap_model
from .precision import SIXTEEN_BITS, Autocast
from .trainings.training import Training
from .wrapping.recomputing import blocks_to_recompute, recompute


class PreparedModel(NamedTuple):
    """A model that is ready to be trained."""

    plain: nn.Module
    """The model without the mode's wrapper."""
    wrapped: nn.Module
    """The model as the mode trains it."""


def prepare_model(
    run: RunSpec, rank: int, devices: RankDevices, training: Training, group: Group
) -> PreparedModel:
    """Return the model of a rank; all ranks of one training get the same weights."""
    workload, device, sharded = run.workload_of(rank), devices.first, run.mode == "fsdp"
    torch.manual_seed(workload.seed)
    model = training.build_model()

    def give_weights(part: nn.Module) -> None:
        training.give_weights(part, device)

    if not sharded:
        give_weights(model)
    if not any(parameter.is_meta for parameter in model.parameters()):
        model.to(device)
        # Whatever random numbers a model used, all ranks start with rank 0's weights.
        group.share([*model.parameters(), *model.buffers()])
    if sharded:  # fsdp requires contiguous parameters
        for parameter in model.parameters():
            parameter.data = parameter.data.contiguous()
    elif workload.channels_last:
        to_channels_last(model)
    recompute(blocks_to_recompute(model, workload))
    dtype = SIXTEEN_BITS.get(workload.precision)
    # fsdp gathers weights of 16 bits, with which autocast has nothing to do but where they meet others.
    autocast = dtype if not sharded or training.mixes_types(model) else None
    module = training.module_of(model)
    plain = Autocast(module, device.type, autocast) if autocast else module
    wrapped = wrap_model(plain, run.mode, devices, workload, dtype, give_weights)
    if sharded and user_code_of(workload) is not None:
        BlockOrder(wrapped, group)
    return PreparedModel(plain, wrapped)


def to_channels_last(model: nn.Module) -> None:
    """Store the four-dimensional tensors of a model in channels-last format; others have no such format."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dim() == 4 and tensor.layout is torch.strided:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
