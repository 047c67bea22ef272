"""Dense views of tensors of any layout: collectives and copies treat memory as if it were dense."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import TrainingError

COMPRESSED_ROWS = (torch.sparse_csr, torch.sparse_bsr)
COMPRESSED_COLUMNS = (torch.sparse_csc, torch.sparse_bsc)
BROADCAST_TYPES = {
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128),
    *(torch.bool, torch.uint8, torch.int8, torch.int32, torch.int64),
}
"""Types of the buffers that DDP can broadcast; gloo refuses others."""


def stored_values(tensor: Tensor) -> list[Tensor]:
    """Return strided views of a tensor's memory that hold each of its values once.

    An expanded dimension is represented by its first element. A sparse tensor has one view for each of its
    indices and one for its values. Writing to the views changes the tensor. TrainingError for other layouts.
    """
    tensor = tensor.detach()
    if tensor.layout is torch.sparse_coo:
        parts = [tensor._indices(), tensor._values()]
    elif tensor.layout in COMPRESSED_ROWS:
        parts = [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    elif tensor.layout in COMPRESSED_COLUMNS:
        parts = [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    elif tensor.layout is torch.strided:
        parts = [tensor]
    else:
        raise TrainingError(
            f"the model has a tensor of layout {tensor.layout}, which cannot be shared by ranks or restored "
            "after warm-up: make it a dense or a sparse one"
        )
    return [_without_repeats(part) for part in parts]


def dense(tensor: Tensor) -> Tensor:
    """Return a strided tensor itself where its memory is contiguous and holds its values, else a copy."""
    return tensor.resolve_conj().resolve_neg().contiguous()


def as_bytes(tensor: Tensor) -> Tensor:
    """Return the memory of a dense tensor, uint8 (bytes); bytes can be compared where values are NaN."""
    # A dimension of size 1 may have any stride, 0 too, and reshape would keep it.
    return tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8)


def unfit_for_ddp(model: nn.Module) -> list[str]:
    """Return the names of the buffers that DDP cannot broadcast.

    It refuses sparse ones, those with repeated values, and the types that gloo does not know.
    """
    return [
        name
        for name, buffer in model.named_buffers()
        if buffer.layout is not torch.strided
        or _without_repeats(buffer) is not buffer
        or buffer.dtype not in BROADCAST_TYPES
    ]


def _without_repeats(tensor: Tensor) -> Tensor:
    for dimension, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
        if stride == 0 and size > 1:
            tensor = tensor.narrow(dimension, 0, 1)
    return tensor
