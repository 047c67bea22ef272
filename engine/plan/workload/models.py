"""Names of models: what each of them names, and whether there is such a model, found without importing it."""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache
from pathlib import Path

from ...text.suggestions import nearest
from .python_file import SourceError, read_source

BUILT_IN_MODELS = {
    "cnn": "three convolutions and two linear layers, 1.1 million parameters",
    "lenet": "LeNet-5 with three colour channels, 62,006 parameters",
    "cifar-resnet18": "ResNet-18 with the 3x3 first convolution that suits 32x32 images",
    "cifar-resnet34": "ResNet-34 with the 3x3 first convolution that suits 32x32 images",
    "vit-tiny": "Vision Transformer on patches of 4x4 pixels, 6 layers of width 192",
    "vit-small": "Vision Transformer on patches of 4x4 pixels, 8 layers of width 384",
    "vit-base": "Vision Transformer on patches of 4x4 pixels, 12 layers of width 768",
}
"""Built-in models by their name, each with what it is."""
TORCHVISION = "torchvision:"
MODELS_PAGE = "pytorch.org/vision/stable/models"
MOST_LISTED = 12
"""Functions of a file that are listed at most where one is not known."""

_REGISTERED = re.compile(
    r'^@register_model\((?:(?:name=)?"(?P<name>\w+)")?\)\n(?:@.*\n(?:[ )].*\n)*)*def (?P<function>\w+)\(',
    re.MULTILINE,
)
"""Matches the declaration of a model in torchvision's source."""


def own_function(model: str) -> tuple[Path, str] | None:
    """Return file and function of a user's own model; None for the name of any other."""
    path, _, function = model.rpartition(":")
    return (Path(path), function) if path.endswith(".py") else None


def problem_with_model(model: str) -> str:
    """Return why there is no such model, as a phrase that says what would be right; empty if there is one.

    What only the import of a user's file would show is left to the ranks.
    """
    own = own_function(model)
    if own is not None:
        return _problem_with_own(*own)
    if model in BUILT_IN_MODELS:
        return ""
    if model.startswith(TORCHVISION):
        name, known = model.removeprefix(TORCHVISION), torchvision_names()
        if name in known or (name and not known):
            return ""
        return f"torchvision has no classification model {name!r}{nearest(name, known, MODELS_PAGE)}"
    if model.endswith(".py"):
        return f"{model}: expected the function too that returns the model, as in {Path(model).name}:build"
    names = ", ".join(BUILT_IN_MODELS)
    return f"there is no model {model!r}: use {names}, torchvision:NAME or path/to/file.py:function"


@lru_cache(maxsize=1)
def torchvision_names() -> tuple[str, ...]:
    """Return the names of torchvision's classification models, read from its source; none if not installed.

    Its import would take seconds, and the session's own process does without torch.
    """
    spec = importlib.util.find_spec("torchvision")
    folders = spec.submodule_search_locations if spec is not None else None
    names: list[str] = []
    for folder in folders or ():
        for path in sorted(Path(folder, "models").glob("*.py")):
            source = path.read_text(encoding="utf-8", errors="replace")
            names += [found["name"] or found["function"] for found in _REGISTERED.finditer(source)]
    return tuple(sorted(names))


def _problem_with_own(file: Path, function: str) -> str:
    try:
        names = read_source(file).names
    except SourceError as error:
        return str(error)
    if not function:
        return f"{file}: expected the function too that returns the model, as in {file.name}:build"
    if names is None or function in names:
        return ""
    functions = [name for name, is_function in names.items() if is_function and not name.startswith("_")]
    others = nearest(function, functions[:MOST_LISTED]) if functions else ""
    return f"{file} has no function {function!r}{others}"
