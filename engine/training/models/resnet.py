"""ResNets for small images (He et al. 2016): the ImageNet form with a 3x3 stem and no first pooling."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is projected where the shape changes."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            projection = nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels_in, h, w) to (batch, channels, h / stride, w / stride)."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out)) + self.shortcut(x)
        return F.relu(out)


class CifarResNet(nn.Module):
    """Four stages of 64, 128, 256 and 512 channels; `blocks` is the number of blocks in each."""

    def __init__(self, blocks: Sequence[int], classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        )
        stages: list[nn.Module] = []
        channels_in = 64
        for stage, (count, channels) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True)):
            for block in range(count):
                stages.append(BasicBlock(channels_in, channels, 2 if stage > 0 and block == 0 else 1))
                channels_in = channels
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(512, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (batch, 3, size, size) to logits (batch, classes)."""
        x = self.stages(self.stem(images)).mean(dim=(2, 3))
        logits: Tensor = self.head(x)
        return logits
