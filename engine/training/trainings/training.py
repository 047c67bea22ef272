"""The interface of a training, all that windows and phases know of what a step does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ...plan.plan import RunSpec
from ...plan.workload.workload import Workload
from ...record.events import UnreadImages
from ..data.datasets import Note
from ..device.devices import RankDevices
from ..optimizer import make_optimizer
from ..parallel.group import Group
from ..parallel.modes import Shard, own_batch, own_shard
from ..precision import has_float_state

Batch = Any
"""Whatever the loss of a training takes: tensors on the rank's device, in any nesting."""


@dataclass(frozen=True)
class Share:
    """One rank's share of the data, and where it goes."""

    shard: Shard
    batch: int
    """Samples of a forward and backward pass on this rank."""
    devices: RankDevices
    workers: int
    """Loader workers of this rank."""
    cache: Path
    """Folder for data sets that are downloaded."""


def share_of(run: RunSpec, rank: int, devices: RankDevices, cache: Path) -> Share:
    """Return the share of the data that a rank of a run has."""
    workers = run.workload_of(rank).loader_workers // run.world_size
    return Share(own_shard(run, rank), own_batch(run, rank), devices, workers, cache)


class Batches(Protocol):
    """One rank's part of the training set, batch by batch, and of the test set."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch on this rank; 0 where the data have no end."""

    def train(self, first: int, end: int | None) -> Iterator[Batch]:
        """Yield the batches of epochs `first` to `end` - 1 (None: endlessly), without pauses between them."""

    def fetch(self, first: int, end: int | None) -> Iterator[Batch]:
        """Yield the same batches where they are made; `place` moves them to the device."""

    def place(self, batch: Batch) -> Batch:
        """Move a fetched batch to the device, in the workload's memory format."""

    def test(self) -> Iterator[Batch]:
        """Yield this rank's part of the test set, not augmented; the last batch may be smaller."""


class Tally(Protocol):
    """Loss and score over many batches, summed on the device; a measured step pays next to nothing for it."""

    def add(self, loss: Tensor, outputs: Any, batch: Batch) -> None:
        """Add a batch: its mean loss, and what the loss was computed from."""

    def read(self, group: Group) -> tuple[float, float | None]:
        """Return mean loss and score over the samples of all ranks; waits for the device.

        The score is a share of 1, None where the training has none, and the loss NaN without a batch.
        """


class Training(Protocol):
    """Model, batches, loss, unit and evaluation of a rank.

    Nothing is read or built before `open` and `build_model`.
    """

    workload: Workload
    unit: str
    """Unit of a throughput, in the plural: `images`."""

    def open(self, share: Share, note: Note) -> Batches:
        """Open the data; return one rank's batches of them."""

    @property
    def sizes(self) -> tuple[int | None, int | None]:
        """Units in the training set and in the test set, once open; None where that is not known."""

    def check_alike(self, group: Group) -> None:
        """Raise TrainingError on all ranks unless they have opened the same data."""

    def skipped_images(self) -> list[UnreadImages]:
        """Return the images that are left out because they cannot be read."""
        return []

    def replaced_images(self) -> list[UnreadImages]:
        """Return the images that this rank has had to replace so far."""
        return []

    def build_model(self) -> nn.Module:
        """Return the model with fresh weights on the CPU, or without any on the meta device.

        Raises TrainingError if it cannot be trained.
        """

    def give_weights(self, part: nn.Module, device: torch.device) -> None:  # noqa: ARG002
        """Give those parameters of a part of the model that are on the meta device memory and fresh weights.

        A model that is sharded is so never whole on any device.
        """
        return

    def build_meta_model(self) -> nn.Module:
        """Return the model on the meta device, where only its shapes count."""
        return self.build_model().to("meta")

    def module_of(self, model: nn.Module) -> nn.Module:
        """Return the module whose forward a step calls, and which a mode wraps; `loss` gets it wrapped."""
        return model

    def mixes_types(self, model: nn.Module) -> bool:
        """Return whether weights of 16 bits may meet others in this model, so that it needs autocast."""
        return has_float_state(model)

    def make_optimizer(self, model: nn.Module, *, fused: bool) -> Optimizer:
        """Return the optimizer over all trainable parameters of a model, which may be in shards."""
        return make_optimizer(self.workload, model, fused=fused)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Any]:
        """Return a batch's mean loss, a scalar with a gradient, and whatever the tally needs besides."""

    def evaluate(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Any]:
        """Return the same of a test batch, without gradients."""
        return self.loss(model, batch)

    def samples(self, batch: Batch) -> int:
        """Return how many units a batch holds."""

    def new_tally(self, device: torch.device) -> Tally:
        """Return a tally of this training."""

    def example(self, size: int, device: torch.device) -> Batch:
        """Return a batch of that size on a device, the meta device too; its values mean nothing."""
