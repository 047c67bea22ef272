"""DataParallel for batches of any nesting."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..nested import changed, tensors_in


class BatchParallel(nn.DataParallel[nn.Module]):
    """DataParallel that divides tensors in any nesting; torch gives each replica the whole of others."""

    def scatter(self, inputs: Any, kwargs: Any, device_ids: Any) -> Any:
        """Return each device's part of the inputs."""
        if _is_divided_by_torch(inputs):
            return super().scatter(inputs, kwargs, device_ids)
        kind, count = self.src_device_obj.type, len(device_ids)
        parts = []
        for place, device in enumerate(device_ids):

            def part_of(tensor: Tensor, place: int = place, device: int = device) -> Tensor:
                part = tensor.tensor_split(count)[place] if tensor.dim() else tensor
                return part.to(torch.device(kind, device)) if kind == "cuda" else part

            parts.append(changed(inputs, part_of))
        return parts, [kwargs] * count


def _is_divided_by_torch(value: Any) -> bool:
    """Return whether torch divides all tensors in a value itself."""
    if isinstance(value, Tensor):
        return True
    if isinstance(value, tuple | list):
        return all(map(_is_divided_by_torch, value))
    if isinstance(value, dict):
        return all(map(_is_divided_by_torch, value.values()))
    return next(tensors_in(value), None) is None
