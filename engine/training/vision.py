"""Access to torchvision, which is imported when it is first needed, by the program or by a user's file."""

from __future__ import annotations

import difflib
import functools
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
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
    """Import torchvision; TrainingError where it is missing."""
    make_torchvision_fit()
    try:
        import torchvision
    except ImportError as error:
        raise TrainingError(
            f"CIFAR-10 and torchvision's models need torchvision, which cannot be imported ({error}): "
            "install the one that fits your torch, or gpubench-tui[vision]"
        ) from error
    return torchvision


def make_torchvision_fit() -> None:
    """Let whoever imports torchvision in this process do so although its compiled part does not fit torch.

    Its import then fails because two operators are missing, and with it that of timm and of most of
    transformers. No classifier calls them, so they are declared where they are missed.
    """
    if not any(isinstance(finder, _TorchvisionFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _TorchvisionFinder())


class _TorchvisionFinder:
    """Finds torchvision as Python does, and loads it with its operators."""

    def find_spec(self, name: str, path: Sequence[str] | None, _: ModuleType | None = None) -> Any:
        if name != "torchvision":
            return None
        spec: ModuleSpec | None = PathFinder.find_spec(name, path)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _TorchvisionLoader(spec.loader.name, spec.loader.path)
        return spec


class _TorchvisionLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Import torchvision, a second time with its operators where they are missing."""
        try:
            super().exec_module(module)
        except RuntimeError as error:
            if "torchvision::nms" not in str(error):
                raise
            _declare_operators()
            super().exec_module(module)


def _declare_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in MISSING_OPERATORS.values():
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)


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
