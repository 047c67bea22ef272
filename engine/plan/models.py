"""Names of models: what each of them names, and whether there is such a model, found without importing it."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from ..text.files import is_file, read_whole
from ..text.suggestions import nearest

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
_DYNAMIC = {"*", "__getattr__", "globals", "locals", "exec", "sys.modules"}
"""Words in a file whose names may be known only once it has been imported."""


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
    if not is_file(file):
        return f"no file {file}"
    try:
        status = file.stat()
        names = _names_in(str(file), status.st_mtime_ns, status.st_size)
    except SyntaxError as error:
        where = f"{error.filename}:{error.lineno}" if error.lineno else f"{file}"
        return f"{where}: {type(error).__name__}: {error.msg}"
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return f"{file} cannot be read as Python: {getattr(error, 'strerror', None) or error}"
    if not function:
        return f"{file}: expected the function too that returns the model, as in {file.name}:build"
    if names is None or function in names:
        return ""
    functions = [name for name, is_function in names.items() if is_function and not name.startswith("_")]
    others = nearest(function, functions[:MOST_LISTED]) if functions else ""
    return f"{file} has no function {function!r}{others}"


@lru_cache(maxsize=64)
def _names_in(path: str, changed: int, size: int) -> Mapping[str, bool] | None:  # noqa: ARG001 (tell versions apart)
    """Return the names that a file binds, and which of them are functions or classes, without running it.

    None where only its import can tell. Raises as `ast.parse` does.
    """
    tree = ast.parse(read_whole(Path(path)), filename=path)
    names = dict(_bound(tree))
    words = set(names)
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word):
                words.add(word)
            case ast.Attribute(value=ast.Name(id="sys"), attr="modules"):
                words.add("sys.modules")
            case ast.Global(names=words_of_module):
                names |= dict.fromkeys(words_of_module, True)
    return None if _DYNAMIC & words else names


def _bound(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Yield the names that a module's statements bind, and whether it is to a function or class.

    Those bound within functions and classes are left out.
    """
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, True
            case ast.Name(id=name, ctx=ast.Store()):
                yield name, False
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0], False
            case _:
                yield from _bound(node)
