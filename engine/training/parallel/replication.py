"""DDP: every rank keeps all of the model, and the gradients of all ranks are averaged bucket by bucket."""

# No `from __future__ import annotations`: DistributedDataParallel compares a hook's annotations with types.

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook, fp16_compress_hook
from torch.nn.parallel import DistributedDataParallel

from ...plan.workload.workload import Compression, Workload
from ..device.devices import RankDevices
from ..precision import SIXTEEN_BITS
from .dense import unfit_for_ddp

BUCKET_MB = Workload().bucket_mb
"""Size of the buckets unless given, in MiB, which is torch's."""

Reduce = Callable[[Any, GradBucket], torch.futures.Future[Tensor]]
"""A communication hook: it reduces one bucket over all ranks."""
COMPRESSING: dict[Compression, Reduce] = {"fp16": fp16_compress_hook, "bf16": bf16_compress_hook}
"""The hook of torch that sends gradients in each type."""


def replicate(model: nn.Module, devices: RankDevices, workload: Workload) -> DistributedDataParallel:
    """Return the model as DDP with the workload's settings of it."""
    if unfit := unfit_for_ddp(model):
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(  # type: ignore[no-untyped-call]
            model, unfit
        )
    ddp = CompressingDdp if workload.compress_gradients in COMPRESSING else DistributedDataParallel
    replica = ddp(
        model,
        device_ids=devices.indices,
        # A size that is given holds for the first bucket too, which torch itself makes small.
        bucket_cap_mb=None if workload.bucket_mb == BUCKET_MB else workload.bucket_mb,
        gradient_as_bucket_view=workload.gradient_as_bucket_view,
        static_graph=workload.static_graph,
        find_unused_parameters=workload.find_unused_parameters,
    )
    if isinstance(replica, CompressingDdp):
        replica.compress(workload.compress_gradients)
    return replica


class CompressingDdp(DistributedDataParallel):
    """A DDP that sends gradients as 16-bit numbers.

    DDP takes one communication hook for its whole life; this one's can be replaced by one that does the same.
    """

    reduce: Reduce
    """Hook in use."""
    dtype: torch.dtype
    """Type in which gradients are sent."""

    def compress(self, compression: Compression) -> None:
        """Send gradients in a type from now on; only once."""
        self.reduce, self.dtype = COMPRESSING[compression], SIXTEEN_BITS[compression]
        # torch refuses its bf16 hook by its name on CPUs, where gloo can do it.
        self.register_comm_hook(None, self._reduce)

    def _reduce(self, state: None, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        return self.reduce(state, bucket)
