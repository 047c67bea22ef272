"""The order of a rank's samples, and the DataLoader that fetches them in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...host.process import die_with_parent
from ...plan.workload.workload import Workload
from ..device.devices import RankDevices
from ..errors import TrainingError
from ..parallel.modes import Shard

Sample = TypeVar("Sample")

START_METHOD = "fork" if sys.platform == "linux" else "spawn"
"""Start method of loader workers, which use no GPU: a fork is safe, a new interpreter takes seconds."""


class BatchSampler:
    """Yields the indices of each of a rank's batches, in order."""

    def __init__(self, shard: Shard, samples: int, batch: int, seed: int, noun: str = "images") -> None:
        self.shard = shard
        self.samples = samples
        self.batch = batch
        self.seed = seed
        self.epochs: tuple[int, int | None] = (0, None)
        self.steps_per_epoch = shard.steps_per_epoch(samples, batch)
        if self.steps_per_epoch == 0:
            raise TrainingError(
                f"the training set has {samples} {noun}, fewer than one step of all ranks consumes "
                f"({shard.samples_per_step(batch)})"
            )

    def epoch(self, number: int) -> Tensor:
        """Return all indices of an epoch, batch after batch."""
        return self.shard.of_epoch(self.samples, self.batch, self.seed, number)

    def __iter__(self) -> Iterator[list[int]]:
        first, end = self.epochs
        for number in count(first) if end is None else range(first, end):
            for chosen in self.epoch(number).view(-1, self.batch):
                yield chosen.tolist()


def make_loader(
    data: Dataset[Sample],
    batches: BatchSampler | list[list[int]],
    workload: Workload,
    devices: RankDevices,
    workers: int,
    seed: int,
) -> DataLoader[Sample]:
    """Return a loader of these batches of indices; the workers of a sampler's remain from epoch to epoch."""
    return DataLoader(
        data,
        batch_sampler=batches,
        num_workers=workers,
        pin_memory=devices.pins_memory and workload.pin_memory,
        prefetch_factor=workload.prefetch if workers else None,
        worker_init_fn=_start_worker,
        multiprocessing_context=START_METHOD if workers else None,
        persistent_workers=workers > 0 and isinstance(batches, BatchSampler),
        generator=torch.Generator().manual_seed(seed),
    )


def _start_worker(worker: int) -> None:  # noqa: ARG001 (passed by DataLoader)
    """Tie a loader worker's life to its rank's."""
    die_with_parent()
