"""Activation checkpointing: blocks whose activations are not kept for backward but computed anew in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ...plan.workload.workload import Workload
from ..errors import TrainingError
from ..precision import BATCH_NORMS
from .blocks import parts_of


def blocks_to_recompute(model: nn.Module, workload: Workload) -> list[nn.Module]:
    """Return the blocks that a workload checkpoints: those of fsdp that are more than a single layer.

    A single layer keeps its input, which is all that checkpointing would. Raises TrainingError without any.
    """
    asked = workload.checkpoint_activations
    if asked == "none":
        return []
    blocks = [part for part in parts_of(model) if list(part.children())]
    each = 1 if asked == "every" else asked
    if len(blocks) < each:
        if blocks:
            found, remedy = f"{len(blocks)} blocks, of which none is number {each}", f"{len(blocks)} or less"
        else:
            found, remedy = "no blocks, only single layers", '"none"'
        raise TrainingError(
            f"the model has {found}, so that nothing is checkpointed: set "
            f"workload.checkpoint_activations = {remedy}"
        )
    return blocks[each - 1 :: each]


def recompute(blocks: Sequence[nn.Module]) -> None:
    """Let each block compute its activations anew in backward.

    A block's class changes, not its attributes: DataParallel's replicas call their own forward so, and
    parameters keep their names.
    """
    for block in blocks:
        kind = type(block)
        block.__class__ = type(kind.__name__, (_Recomputed, kind), {"__module__": kind.__module__})


class _Recomputed(nn.Module):
    """A block that is checkpointed."""

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Return what the block returns."""
        forward = super().forward
        if not torch.is_grad_enabled():
            return forward(*inputs, **named)
        if torch.compiler.is_compiling():  # compiled, statistics are updated once, whatever is recomputed
            return checkpoint(forward, *inputs, use_reentrant=False, **named)
        contexts = self._contexts
        return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **named)

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Return the contexts of computing the block for the first time and of doing it anew."""
        return nullcontext(), _without_statistics(self)


@contextmanager
def _without_statistics(block: nn.Module) -> Iterator[None]:
    """Keep the running statistics of a block's batch norms as they are: they have counted this batch."""
    norms = [part for part in block.modules() if isinstance(part, BATCH_NORMS)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    # They go on to be passed to the kernel, which keeps as many tensors as it did the first time.
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
