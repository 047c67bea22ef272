"""A tally of losses, and of scores where a training has some."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..parallel.group import Group
from .training import Batch

MOST_LOSSES = 256
"""Losses that are kept before they are summed."""


class MeanTally:
    """Means of loss and score over all units; a measured step pays nothing for them but a list's entry."""

    def __init__(self, device: torch.device, samples: Callable[[Batch], int]) -> None:
        self._device = device
        self._samples = samples
        self._sums = [0.0, 0.0, 0.0, 0.0]
        """Loss and units of all batches; score and units of those that have one."""
        self._batches: list[tuple[Tensor, Tensor | None, int]] = []

    def add(self, loss: Tensor, outputs: Tensor | None, batch: Batch) -> None:
        """Add a batch: its mean loss and its score."""
        if len(self._batches) == MOST_LOSSES:
            self._sum_up()
        self._batches.append((loss.detach(), outputs, self._samples(batch)))

    def read(self, group: Group) -> tuple[float, float | None]:
        """Implement `Tally`."""
        self._sum_up()
        everyone = group.gather(self._sums)
        loss, units, score, scored = (sum(column) for column in zip(*everyone, strict=True))
        return loss / units if units else math.nan, score / scored if scored else None

    def _sum_up(self) -> None:
        for place, values in (
            (0, [(loss, units) for loss, _, units in self._batches]),
            (2, [(score, units) for _, score, units in self._batches if score is not None]),
        ):
            if values:
                found = torch.stack([value.detach().double().to(self._device) for value, _ in values])
                weights = torch.tensor([float(units) for _, units in values], device=self._device)
                self._sums[place] += float((found * weights).sum())
                self._sums[place + 1] += float(sum(units for _, units in values))
        self._batches = []
