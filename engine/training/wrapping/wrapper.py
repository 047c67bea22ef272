"""Modules of the program's own around a model, which errors and names are not to mention."""

from __future__ import annotations

from torch import nn


class Wrapper(nn.Module):
    """Calls a model, and does something besides."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model within its wrappers, whose parts have the names that its author gave them."""
    while isinstance(model, Wrapper):
        model = model.model
    return model
