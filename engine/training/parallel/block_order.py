"""Whether all ranks of fsdp call the same blocks: each is gathered by all of them together."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule

from ..errors import TrainingError
from ..wrapping.wrapper import unwrapped
from .group import Group

PASSES = 8
"""Number of passes that are compared, the first ones; a warm-up usually has more."""
END = -1
"""Number that stands for the end of a pass."""


def is_sharded(part: nn.Module) -> bool:
    """Return whether a part of a model is gathered by itself."""
    return isinstance(part, FSDPModule)


class BlockOrder:
    """Has ranks tell each other which block they are about to call, before they gather it, in a few passes.

    Ranks that gather different blocks would wait for each other, or train with each other's weights.
    """

    def __init__(self, model: nn.Module, group: Group) -> None:
        """Register the hooks; those of FSDP must be there already."""
        self._group = group
        self._passes = 0
        parts = unwrapped(model).named_modules()
        blocks = [(name, part) for name, part in parts if part is not model and is_sharded(part)]
        self._names = [name for name, _ in blocks]
        self._hooks = [
            block.register_forward_pre_hook(partial(self._compare, number), prepend=True)
            for number, (_, block) in enumerate(blocks)
        ]
        self._hooks.append(model.register_forward_hook(self._end))

    def _compare(self, number: int, *_: object) -> None:
        if not torch.is_grad_enabled():
            return
        everyone = [int(theirs) for (theirs,) in self._group.gather([float(number)])]
        if len(set(everyone)) > 1:
            called = "; ".join(f"rank {rank}: {self._named(theirs)}" for rank, theirs in enumerate(everyone))
            raise TrainingError(
                f"the ranks of fsdp must call the same blocks in the same order, and did not ({called}): set "
                "workload.find_unused_parameters = true, with which the whole model is gathered at once"
            )

    def _named(self, number: int) -> str:
        return "none" if number == END else self._names[number]

    def _end(self, *_: object) -> None:
        self._compare(END)
        self._passes += torch.is_grad_enabled()
        if self._passes == PASSES:
            for hook in self._hooks:
                hook.remove()
