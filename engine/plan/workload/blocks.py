"""The number of blocks that a built-in model has, known without building it."""

from __future__ import annotations

from .language_models import LANGUAGE_MODELS
from .workload import Workload

IMAGE_MODELS = {
    "cnn": 0,
    "lenet": 0,
    "cifar-resnet18": 9,
    "cifar-resnet34": 17,
    "vit-tiny": 6,
    "vit-small": 8,
    "vit-base": 12,
}
"""Blocks of the built-in image models that are more than a single layer; a ResNet's first is its stem."""


def problem_with_checkpointing(workload: Workload) -> str | None:
    """Return why nothing of a built-in model is checkpointed; None if something is, or nothing should be."""
    asked, model = workload.checkpoint_activations, workload.model
    shape = LANGUAGE_MODELS.get(model)
    blocks = {"images": IMAGE_MODELS.get(model), "tokens": shape.layers if shape else None}
    count = blocks.get(workload.training)
    if asked == "none" or count is None or (1 if asked == "every" else asked) <= count:
        return None
    has, remedy = f"{count} blocks", f'"every", or to {count} at most'
    if not count:
        has, remedy = "no blocks to checkpoint, only single layers", '"none"'
    return f"{model} has {has}: set workload.checkpoint_activations to {remedy}"
