"""Language models by name, built without their weights, and the weights that they begin with."""

from __future__ import annotations

import math
import zlib

import torch
from torch import Tensor, nn

from ...plan.workload.language_models import LANGUAGE_MODELS
from .gpt2 import Gpt2
from .llama import Llama

INITIAL_DEVIATION = 0.02
"""Standard deviation of the initial values of matrices."""


def build_without_weights(name: str, vocabulary: int) -> Gpt2 | Llama:
    """Return a model on the meta device: its tensors have shapes and no content, nor memory."""
    shape = LANGUAGE_MODELS[name]
    with torch.device("meta"):
        return Gpt2(shape, vocabulary) if shape.family == "gpt2" else Llama(shape, vocabulary)


def give_weights(model: Gpt2 | Llama, part: nn.Module, device: torch.device, seed: int) -> None:
    """Give all parameters of a part of the model, or of all of it, memory on a device and initial values.

    Each parameter has random numbers of its own: they are the same whichever parts come first. Those that
    are not on the meta device have theirs already.
    """
    wanted = {id(parameter) for parameter in part.parameters() if parameter.is_meta}
    for name, parameter in list(model.named_parameters()):
        if id(parameter) in wanted:
            values = _initialised(torch.empty(parameter.shape, device=device), model, name, seed)
            _replace(model, parameter, nn.Parameter(values))


def _initialised(values: Tensor, model: Gpt2 | Llama, name: str, seed: int) -> Tensor:
    """Fill in a parameter's initial values: ones for norms, zeros for biases, normal for matrices."""
    if name.endswith("bias"):
        return values.zero_()
    if values.dim() == 1:
        return values.fill_(1)
    generator = torch.Generator(values.device).manual_seed(seed * 1_000_003 + zlib.crc32(name.encode()))
    # What a block adds to its shortcut is made smaller the more blocks there are.
    blocks = len(model.blocks) if name.endswith("project.weight") else 0
    deviation = INITIAL_DEVIATION / math.sqrt(2 * blocks) if blocks else INITIAL_DEVIATION
    return values.normal_(0, deviation, generator=generator)


def _replace(model: nn.Module, old: nn.Parameter, new: nn.Parameter) -> None:
    """Put a parameter in the place of another, wherever the model holds that: it may be tied."""
    for module in model.modules():
        for key, parameter in module.named_parameters(recurse=False):
            if parameter is old:
                setattr(module, key, new)
