"""Optimizers that a training's own file makes, and why one cannot be used."""

from __future__ import annotations

import inspect

from torch import nn
from torch.optim import Optimizer

from ...text.grouping import first_names


def problem_with_optimizer(optimizer: object, model: nn.Module) -> str:
    """Return why this is no optimizer of a model's trained parameters, as a phrase; empty if it is."""
    if not isinstance(optimizer, Optimizer) or not _steps_alone(optimizer):
        wanted = "a torch.optim.Optimizer whose step needs no closure"
        return f"returned {type(optimizer).__name__}, not {wanted}"
    if any("lr" not in group for group in optimizer.param_groups):
        return "returned an optimizer with a group of parameters that has no learning rate, lr"
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    own = {id(parameter) for parameter in model.parameters()}
    if held - own:
        return "returned an optimizer of parameters that are not those of the model it is given"
    missing = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.numel() and id(parameter) not in held
    ]
    if missing:
        return (
            f"leaves out {first_names(missing)}: give the optimizer all parameters, or freeze these "
            "in build_model with requires_grad_(False)"
        )
    return ""


def _steps_alone(optimizer: Optimizer) -> bool:
    """Return whether an optimizer's step can be called without arguments."""
    step = inspect.unwrap(type(optimizer).step)
    try:
        inspect.signature(step).bind(optimizer)
    except TypeError:
        return False
    return True
