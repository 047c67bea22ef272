"""A tally of losses, and of scores where a training has some."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..parallel.group import Group
from .training import Batch

MOST_LOSSES = 256
"""Losses that are kept before they are summed."""


class MeanTally:
    """Means of loss and score over all units, summed on the device.

    A measured step pays nothing for them but an entry of a list.
    """

    def __init__(self, device: torch.device, samples: Callable[[Batch], int]) -> None:
        self._samples = samples
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        """Loss and score of the batches that are summed, each times its units."""
        self._units, self._scored = 0, 0
        """Units of all batches, and of those that have a score."""
        self._losses: list[tuple[Tensor, int]] = []
        """Losses that are not summed yet, with their units."""
        self._scores: list[tuple[Tensor, int]] = []

    def add(self, loss: Tensor, outputs: Tensor | None, batch: Batch) -> None:
        """Add a batch: its mean loss and its score."""
        if len(self._losses) == MOST_LOSSES:
            self._sum_up()
        units = self._samples(batch)
        self._losses.append((loss.detach(), units))
        self._units += units
        if outputs is not None:
            self._scores.append((outputs.detach(), units))
            self._scored += units

    def read(self, group: Group) -> tuple[float, float | None]:
        """Implement `Tally`."""
        self._sum_up()
        everyone = group.gather([*self._sums.tolist(), self._units, self._scored])
        loss, score, units, scored = (sum(column) for column in zip(*everyone, strict=True))
        return loss / units if units else math.nan, score / scored if scored else None

    def _sum_up(self) -> None:
        for place, kept in enumerate((self._losses, self._scores)):
            if kept:
                units = torch.tensor([units for _, units in kept]).to(self._sums)
                self._sums[place] += self._stacked([value for value, _ in kept]) @ units
            kept.clear()

    def _stacked(self, values: Sequence[Tensor]) -> Tensor:
        """Return values as one tensor on the device; a user's own may come from different devices."""
        if len({value.device for value in values}) > 1:
            values = [value.to(self._sums.device) for value in values]
        return torch.stack(list(values)).to(self._sums)
