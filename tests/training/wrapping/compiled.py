"""Models that are compiled, by a quick backend but for one of them."""

from __future__ import annotations

from functools import partial

import torch
from gpubench_tui.engine.training.models.registry import lenet
from torch import nn


def by_a_quick_backend() -> None:
    """Have this process compile by dynamo and AOTAutograd, without generating code."""
    torch.compile = partial(torch.compile, backend="aot_eager")


def chain(classes: int) -> nn.Module:
    """A chain of torch's own layers."""
    by_a_quick_backend()
    return lenet(classes, 32)


def normed(classes: int) -> nn.Module:
    """Another, which has buffers."""
    by_a_quick_backend()
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1800, 64), nn.ReLU(), nn.Linear(64, classes)),
    )


class Opaque(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(3072, classes)

    @torch._dynamo.disable
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layer(images.flatten(1))
        return logits


def opaque(classes: int) -> nn.Module:
    """One that dynamo leaves alone."""
    by_a_quick_backend()
    return Opaque(classes)


def by_inductor(classes: int) -> nn.Module:
    """A small one for the real backend."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, classes))
