"""Differences between the modes: how a model is wrapped, and which samples a rank consumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...plan.plan import RunSpec
from ...plan.preset.preset import Mode
from ...plan.workload.workload import Workload
from ..device.devices import RankDevices
from ..errors import TrainingError
from .batch_parallel import BatchParallel
from .replication import replicate
from .sharding import shard

TOGETHER: frozenset[Mode] = frozenset({"ddp", "fsdp"})
"""Modes whose ranks train one model, each on its own part of every batch."""


@dataclass(frozen=True)
class Shard:
    """One rank's part of every batch of a training, or of a test set."""

    index: int = 0
    count: int = 1
    accumulate: int = 1
    """Batches of a step."""

    def samples_per_step(self, batch: int) -> int:
        """Return the samples that all ranks consume in a step; `batch` is this rank's part of a batch."""
        return batch * self.count * self.accumulate

    def steps_per_epoch(self, samples: int, batch: int) -> int:
        """Return the number of whole steps in a training set; `batch` is this rank's part of a batch."""
        return samples // self.samples_per_step(batch)

    def of_epoch(self, samples: int, batch: int, seed: int, epoch: int) -> Tensor:
        """Return the indices that this rank consumes in an epoch, int64.

        All ranks draw the same permutation. Pass i takes its i-th global batch, of which each rank has an
        equal and distinct part: together they consume what one process would consume in a joined batch. The
        remainder that fills no step is left out; it differs from epoch to epoch.
        """
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        passes = self.steps_per_epoch(samples, batch) * self.accumulate
        order = torch.randperm(samples, generator=generator)[: passes * batch * self.count]
        return order.view(passes, self.count, batch)[:, self.index].reshape(-1)

    def of_test(self, samples: int) -> Tensor:
        """Return the indices that this rank evaluates: every sample belongs to exactly one rank."""
        return torch.arange(self.index, samples, self.count)


def own_batch(run: RunSpec, rank: int) -> int:
    """Return the number of samples that a rank consumes in each forward and backward pass."""
    return run.batch_per_device(rank) * (run.device_count if run.mode == "dp" else 1)


def own_shard(run: RunSpec, rank: int) -> Shard:
    """Return a rank's part of the training; independent trainings have the whole set each."""
    accumulate = run.workload_of(rank).accumulate
    together = run.mode in TOGETHER
    return Shard(rank, run.world_size, accumulate) if together else Shard(accumulate=accumulate)


def wrap_model(
    model: nn.Module,
    mode: Mode,
    devices: RankDevices,
    workload: Workload,
    dtype: torch.dtype | None = None,
    prepare: Callable[[nn.Module], None] | None = None,
) -> nn.Module:
    """Return the model as the mode trains it; it must lie on the first of the devices already.

    `dtype` is that of a 16-bit precision, which fsdp sees to itself; the other modes ignore it. What fsdp
    shards may lie on the meta device, where `prepare` gives each part its weights.
    """
    if mode == "dp":
        if devices.indices is None:
            raise TrainingError("DataParallel does nothing on a CPU: use ddp there")
        if workload.compile:
            raise TrainingError("DataParallel cannot run a compiled model: set workload.compile = false")
        return BatchParallel(model, device_ids=devices.indices)
    if mode == "fsdp":
        return shard(model, devices, workload, dtype, prepare)
    if workload.compile:
        # A wrapper of torch's own around a chain of torch's own layers would leave dynamo nothing to compile.
        # Called within DDP, dynamo still splits its graphs where buckets end, so that they travel meanwhile.
        model = torch.compile(model, mode=workload.compile_mode)  # type: ignore[assignment]
    return replicate(model, devices, workload) if mode == "ddp" else model
