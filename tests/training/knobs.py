"""A worker that trains the same model on the same samples with many settings, one after the other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from gpubench_tui.engine.plan.assignment import Assignment
from gpubench_tui.engine.plan.preset import Measure, Mode
from gpubench_tui.engine.plan.workload import Workload
from gpubench_tui.engine.training.detail.communication import BucketHook, ddp_of
from gpubench_tui.engine.training.device.claim import claim_devices
from gpubench_tui.engine.training.device.cpu import HostClock
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.parallel.modes import TOGETHER
from gpubench_tui.engine.training.trainer import Trainer
from gpubench_tui.engine.training.trainings.choice import training_of
from gpubench_tui.engine.training.trainings.training import share_of
from msgspec.structs import replace
from ranks import whole

STEPS = 3
BATCH = 8
PLAIN = Workload(model="lenet", images=256, batch=BATCH, learning_rate=0.05)

CASES: dict[str, tuple[Mode, dict[str, Any]]] = {
    "single": ("single", {"batch": 2 * BATCH}),
    "ddp": ("ddp", {}),
    "small buckets": ("ddp", {"bucket_mb": 0.05}),
    "views": ("ddp", {"gradient_as_bucket_view": True}),
    "static graph": ("ddp", {"static_graph": True}),
    "unused found": ("ddp", {"find_unused_parameters": True}),
    "fp16 gradients": ("ddp", {"compress_gradients": "fp16"}),
    "bf16 gradients": ("ddp", {"compress_gradients": "bf16"}),
    "fp16 gradients in small views": (
        "ddp",
        {"compress_gradients": "fp16", "gradient_as_bucket_view": True, "bucket_mb": 0.05},
    ),
    "fsdp": ("fsdp", {}),
    "weights kept": ("fsdp", {"reshard_after_forward": False}),
}
"""Mode and changed keys of each training; all see the samples of the first."""


def train_all(assignment: Assignment, queues: Sequence[Any]) -> None:
    """Save losses, gradients and weights of every case, and of ddp what its buckets held, by case."""
    rank = int(os.environ["RANK"])
    devices = claim_devices(assignment.run, rank)
    folder = Path(assignment.rendezvous)
    everyone = Group.join(folder, rank, assignment.run.world_size, "gloo", 240)
    saved = {}
    for name, (mode, changes) in CASES.items():
        workload = replace(PLAIN, **changes)
        run = replace(assignment.run, mode=mode, workloads=(workload,), measure=Measure())
        together = mode in TOGETHER
        if not together:
            run = replace(run, device_count=1, devices=run.devices[:1])
        own = rank if together else 0
        training = training_of(workload)
        batches = training.open(share_of(run, own, devices, folder), print)
        trainer = Trainer(run, own, devices, training, batches, everyone if together else Group())
        saved[name] = steps_of(trainer, batches.train(0, None))
    torch.save(saved, folder / f"rank{rank}.pt")
    os._exit(0)


def steps_of(trainer: Trainer, stream: Any) -> dict[str, Any]:
    """Losses, gradients and weights of a few steps; the last of ddp with the hook of the detail phase."""
    gradients: list[list[torch.Tensor]] = []

    def keep(optimizer: torch.optim.Optimizer, _args: object, _kwargs: object) -> None:
        gradients.append([whole(p.grad) for p in optimizer.param_groups[0]["params"]])

    trainer.optimizer.register_step_pre_hook(keep)
    losses = [float(trainer.step(next(stream))) for _ in range(STEPS)]
    buckets: list[int] = []
    ddp = ddp_of(trainer.model)
    hook = BucketHook(ddp, HostClock()) if ddp is not None else None
    if hook is not None:
        hook.begin()
    losses.append(float(trainer.step(next(stream))))
    if hook is not None:
        buckets = [transfer.bytes for transfer in hook.steps[-1]]
    weights = [whole(p.detach()) for p in trainer.plain.parameters()]
    return {"losses": losses, "gradients": gradients, "weights": weights, "buckets": buckets}
