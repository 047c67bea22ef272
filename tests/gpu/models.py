"""Models of the acceptance: four that fail, one that must be compiled, one that is nearly all weights."""

from __future__ import annotations

import os
import time
import traceback
from itertools import pairwise

import torch
from gpubench_tui.engine.training.detail import detail_phase
from torch import Tensor, nn

TOO_MUCH = 1 << 44
ENDLESS_CYCLES = 1 << 42
WIDTH, DEPTH = 4096, 8


class Small(nn.Module):
    """A convolution and a linear layer."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 16, 3, padding=1)
        self.head = nn.Linear(16, outputs)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.convolution(images).mean((2, 3)))


class Greedy(Small):
    """Model that asks for more memory than any device has."""

    def forward(self, images: Tensor) -> Tensor:
        images.new_empty(TOO_MUCH)
        return super().forward(images)


class Endless(Small):
    """Model whose forward submits a kernel that does not end, or on a CPU does not return."""

    def forward(self, images: Tensor) -> Tensor:
        if images.is_cuda:
            torch.cuda._sleep(ENDLESS_CYCLES)
        else:
            time.sleep(1000)
        return super().forward(images)


class FailingInDetail(Small):
    """Model that fails on the second rank, in the detail phase only."""

    def forward(self, images: Tensor) -> Tensor:
        callers = {frame.f_code.co_filename for frame, _ in traceback.walk_stack(None)}
        if os.environ["RANK"] == "1" and detail_phase.__file__ in callers:
            raise RuntimeError("this model fails where it is looked at")
        return super().forward(images)


class OnlyCompiled(nn.Module):
    """Six convolutions that raise an error unless they are compiled."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = [3, 64, 64, 64, 64, 64, 64]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths)
        )
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        if not torch.compiler.is_compiling():
            raise RuntimeError("this model was not compiled")
        for convolution in self.convolutions:
            images = convolution(images).relu()
        return self.head(images.mean((2, 3)))


class Wide(nn.Module):
    """134 million weights, and activations that are nothing beside them."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(3, WIDTH)
        self.blocks = nn.ModuleList(nn.Sequential(nn.ReLU(), nn.Linear(WIDTH, WIDTH)) for _ in range(DEPTH))
        self.head = nn.Linear(WIDTH, classes)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.first(images.mean((2, 3)))
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(hidden)


def greedy(classes: int) -> nn.Module:
    return Greedy(classes)


def asserting(classes: int) -> nn.Module:
    """Build a model of too few outputs: the kernel of cross entropy asserts that labels are within them."""
    return Small(classes // 2)


def endless(classes: int) -> nn.Module:
    return Endless(classes)


def failing_in_detail(classes: int) -> nn.Module:
    return FailingInDetail(classes)


def only_compiled(classes: int) -> nn.Module:
    return OnlyCompiled(classes)


def wide(classes: int) -> nn.Module:
    return Wide(classes)
