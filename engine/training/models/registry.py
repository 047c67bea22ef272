"""Models by name: built in, torchvision's, or a user's own file."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from ...plan.workload.models import TORCHVISION, own_function, problem_with_model
from ...plan.workload.workload import Workload
from ..errors import TrainingError
from ..vision import torchvision_model
from .own import own_model
from .resnet import CifarResNet
from .vit import PATCH, VisionTransformer


def cnn(classes: int, image_size: int) -> nn.Module:
    """Three convolutions and two linear layers: 1,147,466 parameters for 10 classes of 32x32."""
    size = image_size // 8
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128 * size * size, 512), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(512, classes),
    )


def lenet(classes: int, image_size: int) -> nn.Module:
    """LeNet-5 with colour, ReLU and max-pooling: 62,006 parameters for 10 classes of 32x32."""
    size = ((image_size - 4) // 2 - 4) // 2
    if size < 1:
        raise TrainingError(f"lenet needs images of 16x16 at least, and image_size is {image_size}")
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * size * size, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()),
        nn.Linear(84, classes),
    )


def vit(width: int, depth: int, heads: int) -> Callable[[int, int], nn.Module]:
    """Return a function that builds Vision Transformers of that shape."""

    def build(classes: int, image_size: int) -> nn.Module:
        if image_size % PATCH:
            raise TrainingError(f"a ViT needs an image_size that is a multiple of {PATCH}, not {image_size}")
        return VisionTransformer(classes, image_size, width, depth, heads)

    return build


BUILT_IN: dict[str, Callable[[int, int], nn.Module]] = {
    "cnn": cnn,
    "lenet": lenet,
    "vit-tiny": vit(192, 6, 8),
    "vit-small": vit(384, 8, 8),
    "vit-base": vit(768, 12, 12),
    "cifar-resnet18": lambda classes, _: CifarResNet((2, 2, 2, 2), classes),
    "cifar-resnet34": lambda classes, _: CifarResNet((3, 4, 6, 3), classes),
}
"""By name as in `BUILT_IN_MODELS`, functions of the number of classes and the size of the square images."""


def build_model(workload: Workload) -> nn.Module:
    """Return the workload's model with fresh weights, on the CPU; TrainingError if it cannot be trained."""
    name = workload.model
    if name in BUILT_IN:
        return BUILT_IN[name](workload.classes, workload.image_size)
    if (own := own_function(name)) is not None:
        model = own_model(*own, workload.classes, workload.image_size)
    elif name.startswith(TORCHVISION):
        model = torchvision_model(name.removeprefix(TORCHVISION), workload.classes)
    else:
        raise TrainingError(problem_with_model(name))
    check_trainable(model, name)
    return model


def check_trainable(model: nn.Module, name: str) -> None:
    """Raise TrainingError if a model has parameters without values, or nothing to train."""
    if any(isinstance(parameter, UninitializedParameter) for parameter in model.parameters()):
        raise TrainingError(
            f"{name} has lazy layers, whose parameters no optimizer can hold yet: give them their sizes"
        )
    # On the meta device itself a model is built for its shapes alone.
    if any(each.is_meta for each in model.parameters()) and not torch.empty(0).is_meta:
        raise TrainingError(f"{name} has parameters on the meta device, which have no values")
    if any(parameter.is_inference() for parameter in model.parameters()):
        raise TrainingError(f"{name} has parameters made in inference mode, which cannot be trained")
    # Looked for here, as DistributedDataParallel refuses such a model in other words.
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TrainingError(f"{name} has no parameters to train")
