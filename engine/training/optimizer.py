"""The optimizer and the course of its learning rate."""

from __future__ import annotations

from bisect import bisect_right

import torch
from torch import nn
from torch.distributed.tensor import DTensor
from torch.optim import SGD, AdamW, Optimizer

from ..plan.preset import Workload
from .errors import TrainingError


class Schedule:
    """The learning rate of each step: a linear rise from zero, then a factor `gamma` at each milestone."""

    def __init__(self, workload: Workload, steps_per_epoch: int) -> None:
        self._base = workload.learning_rate
        self._gamma = workload.gamma
        self._warmup = round(workload.warmup_epochs * steps_per_epoch)
        self._milestones = sorted(epoch * steps_per_epoch for epoch in workload.milestones)

    def learning_rate(self, step: int) -> float:
        """Of a step counted from 0."""
        if step < self._warmup:
            return self._base * (step + 1) / self._warmup
        return self._base * self._gamma ** bisect_right(self._milestones, step)


def make_optimizer(workload: Workload, model: nn.Module) -> Optimizer:
    """The workload's optimizer over all trainable parameters.

    On GPUs it is the fused one: one kernel a step, and with gradient scaling no wait for the device. For
    shards torch has a fused AdamW and no fused SGD, and the wait is remarked on in the results.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise TrainingError(f"{workload.model} has no parameters to train")
    fused = all(parameter.is_cuda and parameter.is_floating_point() for parameter in parameters) or None
    sharded = any(isinstance(parameter, DTensor) for parameter in parameters)
    if workload.optimizer == "adamw":
        return AdamW(parameters, lr=workload.learning_rate, weight_decay=workload.weight_decay, fused=fused)
    return SGD(
        parameters,
        lr=workload.learning_rate,
        momentum=workload.momentum,
        weight_decay=workload.weight_decay,
        fused=None if sharded else fused,
    )


def check_optimizer(optimizer: Optimizer, model: nn.Module) -> None:
    """TrainingError unless the optimizer holds exactly the model's trainable parameters.

    Parameters that a model creates during its first step would be trained by nobody.
    """
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    missing = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and id(parameter) not in held
    ]
    if missing:
        raise TrainingError(
            f"the model created parameters during its first step ({', '.join(missing[:3])}), "
            "which the optimizer cannot know: create them in __init__"
        )
    present = {id(parameter) for parameter in model.parameters()}
    if held - present:
        raise TrainingError(
            f"the model replaced {len(held - present)} of its parameters during its first step: "
            "the optimizer trains the old ones"
        )


def make_scaler(workload: Workload, device: torch.device) -> torch.amp.GradScaler:
    """Scales the loss for fp16, whose small gradients would vanish; does nothing for other precisions."""
    return torch.amp.GradScaler(device.type, enabled=workload.precision == "fp16")
