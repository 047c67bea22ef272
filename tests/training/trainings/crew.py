"""A worker that takes the same steps with many trainings: alone, and with the other ranks in each mode."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import torch
from gpubench_tui.engine.plan.assignment import Assignment
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.preset.preset import Mode
from gpubench_tui.engine.plan.workload.user_code import UserCode
from gpubench_tui.engine.training.device.claim import claim_devices
from gpubench_tui.engine.training.device.devices import RankDevices
from gpubench_tui.engine.training.errors import sentence_of
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.trainer import Trainer
from gpubench_tui.engine.training.trainings.choice import training_of
from gpubench_tui.engine.training.trainings.training import share_of
from msgspec.structs import replace
from torch.distributed.tensor import DTensor

STEPS = 3
OUTPUTS = ("table", "record", "library", "two heads")
"""Kinds that differ in what they return alone."""


def compare_modes(assignment: Assignment, queues: Sequence[Queue[Any]]) -> None:
    """Train each workload of the run alone on the joined batch, then together in each mode."""
    run, rank = assignment.run, int(os.environ["RANK"])
    devices, folder = claim_devices(run, rank), Path(assignment.rendezvous)
    group = Group.join(folder, rank, run.world_size, "gloo", 240)
    found: dict[str, Any] = {}
    for workload in run.workloads:
        joined = replace(workload, batch=workload.batch * run.world_size, find_unused_parameters=False)
        # What a model returns is nothing to fsdp that it is not to ddp.
        for mode in modes_of(workload.name):
            spec = replace(
                run,
                mode=mode,
                device_count=1 if mode == "single" else run.world_size,
                devices=run.devices[:1] if mode == "single" else run.devices,
                workloads=(joined if mode == "single" else workload,),
            )
            own = 0 if mode == "single" else rank
            print(workload.name, mode, flush=True)
            found[f"{workload.name}, {mode}"] = trained(
                spec, own, devices, Group() if mode == "single" else group, folder
            )
    torch.save(found, folder / f"rank{rank}.pt")
    os._exit(0)


def modes_of(kind: str) -> tuple[Mode, ...]:
    if kind == "dropped alike":  # ddp would wait for the layers that are left out
        return ("fsdp",)
    return ("single", "ddp") if kind in OUTPUTS else ("single", "ddp", "fsdp")


def trained(
    run: RunSpec, rank: int, devices: RankDevices, group: Group, folder: Path
) -> dict[str, Any] | str:
    """Return losses and weights after some steps, or the sentence that a user would read."""
    workload = run.workload
    try:
        training = training_of(workload)
        batches = training.open(share_of(run, rank, devices, folder), print)
        trainer = Trainer(run, rank, devices, training, batches, group)
        stream = batches.train(0, None)
        losses = [float(trainer.step(next(stream))) for _ in range(STEPS)]
        weights = {name: whole(p.detach()) for name, p in trainer.plain.named_parameters()}
    except Exception as error:
        traceback.print_exc()
        return sentence_of(error, workload.batch, UserCode(Path(workload.training)))
    return {"losses": losses, "weights": weights}


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return all ranks' shards of a tensor together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor.clone()
