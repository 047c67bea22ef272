"""When the ranks of a training average their gradients: in the last pass of a step."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel


def averaging(model: nn.Module, now: bool) -> AbstractContextManager[None]:
    """Return the context of a forward and backward pass that averages gradients, or adds them up by rank."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(now)
    elif isinstance(model, DistributedDataParallel) and not now:
        return model.no_sync()
    return nullcontext()
