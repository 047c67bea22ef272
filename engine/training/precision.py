"""Training in 16 bits: by autocast, or in FSDP by casting the parameters before they are gathered."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from .wrapping.wrapper import Wrapper

SIXTEEN_BITS: dict[str, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16}
"""The dtype of a 16-bit precision, or of compressed gradients; fp32 and tf32 both compute in float32."""


class Autocast(Wrapper):
    """A model whose forward pass runs under autocast, in DataParallel's threads too."""

    def __init__(self, model: nn.Module, device_type: str, dtype: torch.dtype) -> None:
        super().__init__(model)
        self._device_type = device_type
        self._dtype = dtype

    def forward(self, *inputs: Any) -> Any:
        """Return what the model returns."""
        with torch.autocast(self._device_type, dtype=self._dtype):
            return self.model(*inputs)


BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def has_float_state(model: nn.Module) -> bool:
    """Return whether a model has buffers of floating point that may meet its parameters in an operation."""
    return any(
        buffer.is_floating_point()
        for module in model.modules()
        if not isinstance(module, BATCH_NORMS)
        for buffer in module.buffers(recurse=False)
    )


def keep_statistics_in_float32(model: nn.Module) -> None:
    """Let every batch norm take 16-bit inputs and parameters while its running statistics stay float32.

    Kernels accept such inputs only where weight, bias and statistics are all float32, as they are under
    autocast. A 16-bit running mean would lose most of what a step adds to it.
    """
    for module in model.modules():
        own_type = any(tensor.dtype is torch.float64 for tensor in module.parameters(recurse=False))
        if isinstance(module, BATCH_NORMS) and not own_type:
            module.forward = partial(_batch_norm, module)  # type: ignore[method-assign]


def _batch_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d, inputs: Tensor) -> Tensor:
    """Do what the module's own forward does, with float32 weight and bias."""
    average = norm.momentum
    if norm.training and norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        average = 1 / float(norm.num_batches_tracked) if average is None else average
    tracked = not norm.training or norm.track_running_stats
    return F.batch_norm(
        inputs,
        norm.running_mean if tracked else None,
        norm.running_var if tracked else None,
        None if norm.weight is None else norm.weight.float(),
        None if norm.bias is None else norm.bias.float(),
        training=norm.training or norm.running_mean is None,
        momentum=average or 0.0,
        eps=norm.eps,
    )
