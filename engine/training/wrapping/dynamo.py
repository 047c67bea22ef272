"""Compiling a model before it is wrapped, and counting what torch made of it."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import nn
from torch._dynamo import config
from torch._dynamo.utils import counters

from ...plan.workload.workload import CompileMode

CUDA_GRAPHS: frozenset[CompileMode] = frozenset({"reduce-overhead", "max-autotune"})
"""Modes in which compiled code is recorded as CUDA graphs on GPUs."""


def compile_blocks(blocks: list[nn.Module], mode: CompileMode = "default") -> None:
    """Compile the forward of each module, which is then called by whatever wraps it.

    FSDP gathers and frees a block's parameters in hooks around its forward, which no graph can hold. Blocks
    that share their code share its cache too: it must have room for all of them, and for the sizes of each,
    which are constants and not variables.
    """
    for name in ("recompile_limit", "cache_size_limit"):  # its name before torch 2.6
        if hasattr(config, name):
            setattr(config, name, max(getattr(config, name), 4 * len(blocks)))
            break
    for block in blocks:
        block.forward = torch.compile(block.forward, dynamic=False, mode=mode)


def compiled_graphs() -> int:
    """Return how many graphs this process has compiled; none where a model breaks every one of them."""
    return int(counters["stats"]["unique_graphs"])


def uncompiled() -> AbstractContextManager[object]:
    """Run what was compiled as it was written: an evaluation would be compiled anew."""
    eager: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return eager
