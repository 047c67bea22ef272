"""A worker that trains the same model on the same samples with many settings, one after the other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from alone import Collectives
from gpubench_tui.engine.plan.assignment import Assignment
from gpubench_tui.engine.plan.preset.preset import Measure, Mode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.training.detail.communication import BucketHook, ddp_of
from gpubench_tui.engine.training.device.claim import claim_devices
from gpubench_tui.engine.training.device.cpu import HostClock
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.parallel.modes import TOGETHER
from gpubench_tui.engine.training.parallel.sharding import pieces_of
from gpubench_tui.engine.training.precision import SIXTEEN_BITS
from gpubench_tui.engine.training.trainer import Trainer
from gpubench_tui.engine.training.trainings.choice import training_of
from gpubench_tui.engine.training.trainings.training import share_of
from msgspec.structs import replace
from ranks import whole
from torch import nn

STEPS = 3
BATCH = 8
TOKENS = {"training": "tokens", "model": "gpt-tiny", "sequence_length": 16, "batch": 2, "tokens": 4000}
CLIP = 0.05
"""Largest norm of the gradients that are clipped, a few times less than they have."""
WIDTH = 48
CHANGING = f"{__file__}:Changing"
PLAIN = Workload(model=f"{__file__}:build", image_size=8, images=256, batch=BATCH, learning_rate=0.05)


class Block(nn.Module):
    """A residual block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.wide = nn.Linear(WIDTH, 2 * WIDTH)
        self.narrow = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the values with what the block adds."""
        added: torch.Tensor = self.narrow(F.gelu(self.wide(self.norm(values))))
        return values + added


def build(classes: int) -> nn.Module:
    """A model of four blocks, without anything random."""
    blocks = nn.Sequential(*(Block() for _ in range(4)))
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, WIDTH), blocks, nn.Linear(WIDTH, classes))


class Changing(nn.Module):
    """A model that leaves a layer out in every second step."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.whole, self.rest, self.steps = build(classes), nn.Linear(1, classes), 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        self.steps += 1
        logits: torch.Tensor = self.whole(images)
        return logits + self.rest(images[:, 0, 0, :1]) if self.steps % 2 else logits


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
    "checkpointed": ("single", {"batch": 2 * BATCH, "checkpoint_activations": "every"}),
    "checkpointed ddp": ("ddp", {"checkpoint_activations": "every", "bucket_mb": 0.05}),
    "checkpointed fsdp": ("fsdp", {"checkpoint_activations": 2}),
    "long": ("single", {"batch": 4 * BATCH}),
    "accumulated": ("single", {"batch": 2 * BATCH, "accumulate": 2}),
    "accumulated ddp": ("ddp", {"accumulate": 2}),
    "accumulated ddp in views": (
        "ddp",
        {"accumulate": 2, "gradient_as_bucket_view": True, "bucket_mb": 0.05},
    ),
    "accumulated ddp, static graph": ("ddp", {"accumulate": 2, "static_graph": True}),
    "accumulated ddp, unused found": ("ddp", {"accumulate": 2, "find_unused_parameters": True}),
    "accumulated ddp, fp16 gradients": ("ddp", {"accumulate": 2, "compress_gradients": "fp16"}),
    "accumulated fsdp": ("fsdp", {"accumulate": 2}),
    "accumulated fsdp, weights kept, checkpointed": (
        "fsdp",
        {"accumulate": 2, "reshard_after_forward": False, "checkpoint_activations": "every"},
    ),
    "accumulated fsdp in bf16": ("fsdp", {"accumulate": 2, "precision": "bf16"}),
    "clipped": ("single", {"batch": 2 * BATCH, "clip_gradients": CLIP}),
    "clipped ddp": ("ddp", {"clip_gradients": CLIP}),
    "clipped fsdp": ("fsdp", {"clip_gradients": CLIP}),
    "clipped at half precision": (
        "single",
        {"batch": 2 * BATCH, "precision": "fp16", "clip_gradients": CLIP},
    ),
    "clipped accumulated fsdp": ("fsdp", {"batch": BATCH // 2, "accumulate": 2, "clip_gradients": CLIP}),
    "changing": ("single", {"batch": 2 * BATCH, "model": CHANGING}),
    "changing, unused found": ("ddp", {"model": CHANGING, "find_unused_parameters": True}),
    "tokens": ("single", {**TOKENS, "batch": 8}),
    "tokens with ddp": ("ddp", {**TOKENS, "accumulate": 2, "compress_gradients": "bf16"}),
    "tokens with ddp, checkpointed": (
        "ddp",
        {**TOKENS, "accumulate": 2, "checkpoint_activations": 2, "gradient_as_bucket_view": True},
    ),
    "tokens with fsdp, checkpointed": (
        "fsdp",
        {**TOKENS, "accumulate": 2, "checkpoint_activations": "every"},
    ),
}
"""Mode and changed keys of each training; all of a model see the same samples."""


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
        stream = batches.train(0, None)
        saved[name] = steps_of(trainer, stream)
        if mode == "fsdp":
            with Collectives() as collectives:
                trainer.step(next(stream), islice(stream, trainer.accumulate - 1))
            saved[name]["sent"] = {kind: sum(sizes) for kind, sizes in collectives.seen.items()}
            pieces = pieces_of(trainer.plain, workload, SIXTEEN_BITS.get(workload.precision))
            saved[name]["expected"] = {
                "allgather": sum(piece.gathers * piece.bytes for piece in pieces),
                "reduce_scatter": sum(piece.reduced_bytes for piece in pieces),
            }
    torch.save(saved, folder / f"rank{rank}.pt")
    os._exit(0)


def steps_of(trainer: Trainer, stream: Any) -> dict[str, Any]:
    """Losses, gradients and weights of a few steps; the last of ddp with the hook of the detail phase."""
    gradients: list[list[torch.Tensor]] = []

    def keep(optimizer: torch.optim.Optimizer, _args: object, _kwargs: object) -> None:
        parameters = optimizer.param_groups[0]["params"]
        gradients.append([torch.zeros_like(p) if p.grad is None else whole(p.grad) for p in parameters])

    trainer.optimizer.register_step_pre_hook(keep)

    def step() -> float:
        return float(trainer.step(next(stream), islice(stream, trainer.accumulate - 1)))

    losses = [step() for _ in range(STEPS)]
    buckets: list[int] = []
    ddp = ddp_of(trainer.model)
    hook = BucketHook(ddp, HostClock()) if ddp is not None else None
    if hook is not None:
        hook.begin()
    losses.append(step())
    if hook is not None:
        buckets = [transfer.bytes for transfer in hook.steps[-1]]
    weights = [whole(p.detach()) for p in trainer.plain.parameters()]
    return {"losses": losses, "gradients": list(gradients), "weights": weights, "buckets": buckets}
