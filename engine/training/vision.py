"""The only access to torchvision, which is imported when it is first needed."""

from __future__ import annotations

import difflib
import functools
from typing import Any

import torch
from torch import nn

from .errors import TrainingError

MISSING_OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []
"""Libraries that are kept alive: a declaration lives as long as its Library."""


@functools.cache
def torchvision() -> Any:
    """Import torchvision; TrainingError where it is missing.

    A torchvision whose compiled part does not fit the installed torch fails at import because two operators
    are missing. Nothing here calls them, so they are declared, and the import then succeeds.
    """
    try:
        import torchvision
    except ImportError as error:
        raise TrainingError(
            f"CIFAR-10 and torchvision's models need torchvision, which cannot be imported ({error}): "
            "install the one that fits your torch, or gpubench-tui[vision]"
        ) from error
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for schema in MISSING_OPERATORS.values():
            library.define(schema)  # type: ignore[no-untyped-call]
        _declared.append(library)
        import torchvision
    return torchvision


def torchvision_model(name: str, classes: int) -> nn.Module:
    """Return a classification model of torchvision with fresh weights; TrainingError for an unknown name."""
    models = torchvision().models
    names = models.list_models(module=models)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3)
        hint = f": did you mean {' or '.join(near)}?" if near else ""
        raise TrainingError(f"torchvision has no classification model {name!r}{hint}")
    model: nn.Module = models.get_model(name, weights=None, num_classes=classes)
    return model
