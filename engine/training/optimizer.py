"""The optimizer and the course of its learning rate."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import torch
from torch import nn
from torch.distributed.tensor import DTensor
from torch.optim import SGD, AdamW, Optimizer

from ..plan.workload.workload import Workload
from ..text.grouping import first_names
from .errors import TrainingError
from .wrapping.wrapper import unwrapped


class Schedule:
    """The learning rate by step: a linear rise from zero, then a factor `gamma` at each milestone."""

    def __init__(self, workload: Workload, steps_per_epoch: int) -> None:
        self._base = workload.learning_rate
        self._gamma = workload.gamma
        # Data without an end have no epochs.
        milestones = workload.milestones if steps_per_epoch else ()
        self._warmup = round(workload.warmup_epochs * steps_per_epoch)
        self._milestones = sorted(epoch * steps_per_epoch for epoch in milestones)

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self._warmup:
            return self._base * (step + 1) / self._warmup
        return self._base * self._gamma ** bisect_right(self._milestones, step)


def make_optimizer(workload: Workload, model: nn.Module, *, fused: bool) -> Optimizer:
    """Return the workload's optimizer over all trainable parameters.

    With `fused` a step is one kernel, and gradient scaling does not wait for the device. torch has no fused
    SGD for sharded parameters: there the optimizer waits, and the results say so.
    """
    parameters = parameters_to_train(model)
    rate, decay = workload.learning_rate, workload.weight_decay
    sparse = layers_with_sparse_gradients(model)
    if sparse and (decay or workload.optimizer == "adamw"):
        what = "weight_decay" if decay else workload.optimizer
        raise TrainingError(
            f"the layer {sparse[0]} makes sparse gradients, which {what} does not take: build it with "
            "sparse=False, or give the training's file a make_optimizer that takes them"
        )
    fused = fused and not sparse and all(parameter.is_floating_point() for parameter in parameters)
    sharded = any(isinstance(parameter, DTensor) for parameter in parameters)
    if workload.optimizer == "adamw":
        return AdamW(parameters, lr=rate, weight_decay=decay, fused=fused or None)
    sgd = SGD(
        parameters,
        lr=rate,
        momentum=workload.momentum,
        weight_decay=decay,
        fused=(fused and not sharded) or None,
    )
    define_momentum(sgd)
    return sgd


def layers_with_sparse_gradients(model: nn.Module) -> list[str]:
    """Return the names of the layers whose gradients are sparse."""
    return [
        name
        for name, module in unwrapped(model).named_modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag)
        and module.sparse
        and module.weight.requires_grad
    ]


def define_momentum(optimizer: Optimizer) -> None:
    """Give an SGD that has no state yet momentum buffers of zeros; leave other optimizers as they are.

    The first step gives the same result with them as without. Fused SGD allocates its buffers in that step
    and leaves it to the kernel to fill them; with gradient scaling the kernel returns early when a gradient
    overflows, and the next step would read uninitialised memory.
    """
    for group in optimizer.param_groups:
        if group.get("momentum"):
            for parameter in group["params"]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def check_optimizer(optimizer: Optimizer, model: nn.Module) -> None:
    """Raise TrainingError unless the optimizer holds exactly the model's trainable parameters.

    It would not train parameters that a model creates during its first step.
    """
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    missing = [name for name, parameter in _trainable(model) if id(parameter) not in held]
    if missing:
        raise TrainingError(
            f"the model created parameters during its first step ({first_names(missing)}), "
            "which the optimizer cannot know: create them in __init__"
        )
    present = {id(parameter) for parameter in model.parameters()}
    if held - present:
        raise TrainingError(
            f"the model replaced {len(held - present)} of its parameters during its first step: "
            "the optimizer trains the old ones"
        )


def check_some_used(model: nn.Module) -> None:
    """Raise TrainingError if a backward pass has left all trainable parameters without gradient."""
    if all(parameter.grad is None for _, parameter in _trainable(model)):
        raise TrainingError(
            "the loss depends on no parameter of the model: compute it from what the model returns, without "
            "making a new tensor of it"
        )


def check_all_used(model: nn.Module) -> None:
    """Raise TrainingError if a backward pass has left a trainable parameter without gradient.

    DDP waits for all of them: in the next step it would say so by their numbers, and where another rank has
    used them the ranks would wait for each other in different collectives.
    """
    unused = [name for name, parameter in _trainable(model) if parameter.grad is None]
    if unused:
        raise TrainingError(
            f"a step of the model does not use the parameters {first_names(unused)}, for whose "
            "gradients ddp would wait: leave them out, or set workload.find_unused_parameters = true"
        )


def clip_gradients(optimizer: Optimizer, norm: float) -> None:
    """Scale all gradients down together where their norm, that of all shards on all ranks, is larger."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if any(parameter.grad is not None and parameter.grad.is_sparse for parameter in parameters):
        raise TrainingError(
            "torch cannot clip sparse gradients, which the model has: set workload.clip_gradients = "
            '"none", or make its layers dense (sparse=False)'
        )
    nn.utils.clip_grad_norm_(parameters, norm)


def parameters_to_train(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that hold anything to train."""
    return [parameter for _, parameter in _trainable(model)]


def _trainable(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters that hold anything to train, with their names."""
    for name, parameter in unwrapped(model).named_parameters():
        if parameter.requires_grad and parameter.numel():
            yield name, parameter


def make_scaler(workload: Workload, device: torch.device) -> torch.amp.GradScaler:
    """Return a scaler of the loss, which fp16 needs lest small gradients vanish; disabled elsewhere."""
    return torch.amp.GradScaler(device.type, enabled=workload.precision == "fp16")
