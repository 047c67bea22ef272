"""Workers that try one thing between two ranks and save what came of it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from gpubench_tui.engine.plan.assignment import Assignment
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training import optimizer, prepared_model, trainer
from gpubench_tui.engine.training.detail import bandwidth
from gpubench_tui.engine.training.detail.communication import BucketHook
from gpubench_tui.engine.training.device.claim import claim_devices
from gpubench_tui.engine.training.device.cpu import CpuDevices, HostClock
from gpubench_tui.engine.training.models.registry import build_model, cnn
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.parallel.modes import TOGETHER
from gpubench_tui.engine.training.parallel.sharding import pieces_of, shard
from gpubench_tui.engine.training.precision import SIXTEEN_BITS
from gpubench_tui.engine.training.trainings import training
from gpubench_tui.engine.training.trainings.choice import training_of
from gpubench_tui.engine.training.trainings.training import share_of
from pretend_devices import data_parallel_over, pretended
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode

STEPS = 3


def join(assignment: Assignment) -> Group:
    rank = int(os.environ["RANK"])
    return Group.join(Path(assignment.rendezvous), rank, assignment.run.world_size, "gloo", 240)


def save(assignment: Assignment, what: Any) -> None:
    torch.save(what, Path(assignment.rendezvous) / f"rank{os.environ['RANK']}.pt")
    os._exit(0)


def hook_gradients(assignment: Assignment, queues: Sequence[Any]) -> None:
    """Gradients of the same model and images without the hook and with it, and what the hook noted."""
    group = join(assignment)
    model = cnn(10, 32).eval()  # no dropout
    group.share([parameter.detach() for parameter in model.parameters()])
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(group.rank))
    ddp = DistributedDataParallel(model)

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        ddp(images).square().mean().backward()
        return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]

    without = [gradients() for _ in range(STEPS)]
    hook = BucketHook(ddp, HostClock())
    with_hook = []
    for _ in range(STEPS):
        hook.begin()
        with_hook.append(gradients())
    sizes = [transfer.bytes for transfer in hook.steps[-1]]
    save(assignment, {"without": without, "with": with_hook, "sizes": sizes})


def bandwidths(assignment: Assignment, queues: Sequence[Any]) -> None:
    """The curve of every collective."""
    group = join(assignment)
    bandwidth.SECONDS = 0.3
    collectives = ("all_reduce", "all_gather", "reduce_scatter")
    save(
        assignment,
        {name: bandwidth.measure_bandwidth(name, group, CpuDevices(), HostClock()) for name in collectives},
    )


def agreement(assignment: Assignment, queues: Sequence[Any]) -> None:
    """Whether two ranks agree on equal values, on equal values that are no numbers, and on unequal ones."""
    group = join(assignment)
    equal = torch.arange(6.0).reshape(2, 3)
    tensors = (equal.clone(), equal / 0 * 0, equal + group.rank, torch.tensor(group.rank))
    save(assignment, [group.agree([equal, tensor]) for tensor in tensors])


def overflowing(assignment: Assignment, queues: Sequence[Any]) -> None:
    """Losses in fp16 whose first steps overflow, with a fused optimizer and without: new and restored."""
    run = assignment.run
    group = join(assignment) if run.mode in TOGETHER else Group()
    # Uninitialised memory reads as NaN: on a CPU it is often zero.
    torch.use_deterministic_algorithms(True)
    replaced = ExitStack()
    if run.mode == "dp":
        replaced.enter_context(pretended())
        prepared_model.wrap_model = lambda model, *_, **__: data_parallel_over(model, 2)  # type: ignore[assignment]
    cpu = claim_devices(run, group.rank)
    workload = run.workload_of(group.rank)
    share = share_of(run, group.rank, cpu, Path(assignment.rendezvous))
    saved = {}
    for kind in ("fused", "unfused"):

        def make(workload: Workload, model: nn.Module, kind: str = kind, **_: bool) -> Optimizer:
            return optimizer.make_optimizer(workload, model, fused=kind == "fused")

        training.make_optimizer = make  # type: ignore[assignment]
        images = training_of(workload)
        batches = images.open(share, print)
        trained = trainer.Trainer(run, group.rank, cpu, images, batches, group)
        trained.scaler.load_state_dict(trained.scaler.state_dict() | {"scale": 2.0**24})
        beginning = trained.save()
        for state in ("new", "restored"):
            trained.restore(beginning) if state == "restored" else None
            stream = batches.train(0, None)
            losses = [float(trained.step(next(stream))) for _ in range(10)]
            skipped = round(math.log2(2.0**24 / trained.scaler.get_scale()))
            saved[f"{kind} {state}"] = {"losses": losses, "skipped": skipped}
    save(assignment, saved)


class Collectives(TorchDispatchMode):
    """Notes the bytes of the larger buffer of every all-gather and reduce-scatter."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, list[int]] = {"allgather": [], "reduce_scatter": []}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for name, sizes in self.seen.items():
            if f"c10d::_{name}_base" in func.name():
                sizes.append(max(each.numel() * each.element_size() for each in args[:2]))
        return func(*args, **(kwargs or {}))


def sharded_step(assignment: Assignment, queues: Sequence[Any]) -> None:
    """What the run's model is said to gather and to reduce, what it did in its last step, and what it kept.

    `kept`: bytes of weights, gathered or copied, that are alive between forward and backward.
    """
    group = join(assignment)
    workload = assignment.run.workload_of(group.rank)
    dtype = SIXTEEN_BITS.get(workload.precision)
    model = build_model(workload)
    shapes = {tuple(sorted(parameter.shape)) for parameter in model.parameters() if parameter.dim() > 1}
    model = shard(model, CpuDevices(), workload, dtype)
    saved: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor)
        return tensor

    for _ in range(STEPS):
        saved.clear()
        with Collectives() as collectives:
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                logits = model(torch.randn(2, 3, 32, 32))
            weights = [tensor for tensor in saved if tuple(sorted(tensor.shape)) in shapes]
            storages = {id(tensor.untyped_storage()): tensor.untyped_storage() for tensor in weights}
            kept = sum(storage.size() for storage in storages.values())
            logits.float().square().mean().backward()
    found = pieces_of(model, workload, dtype)
    pieces = [(piece.bytes, piece.gathers, piece.reduced_bytes) for piece in found]
    shards = {str(parameter.dtype) for parameter in model.parameters()}
    gradients = {str(parameter.grad.dtype) for parameter in model.parameters() if parameter.grad is not None}
    statistics = {str(buffer.dtype) for name, buffer in model.named_buffers() if "running" in name}
    kinds = {"kept": kept, "weights": len(weights), "shards": shards, "gradients": gradients}
    save(
        assignment,
        {"pieces": pieces, "logits": str(logits.dtype), "statistics": statistics} | kinds | collectives.seen,
    )
