"""Models of the user's own files, imported as Python would import a script."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from ...plan.workload.user_code import Place, UserCode
from ..errors import TrainingError
from ..vision import make_torchvision_fit

NAMES_OF_CLASSES = ("classes", "num_classes", "n_classes")
"""Names of an argument that takes the number of classes."""


def own_model(file: Path, function: str, classes: int, image_size: int) -> nn.Module:
    """Call a function of the user's file with what it takes of classes and image size; return the model."""
    if not file.is_file():
        raise TrainingError(f"the model's file {file.absolute()} does not exist")
    build = getattr(import_script(file), function, None)
    if not callable(build):
        raise TrainingError(f"{file} has no function {function!r}")
    model = _call(file, function, build, classes, image_size)
    if not isinstance(model, nn.Module):
        returned = type(model).__name__
        place = place_of_function(file, build)
        raise TrainingError(f"{place}: {function} returned {returned}, not a torch.nn.Module")
    return model


def import_script(file: Path) -> ModuleType:
    """Import a file by its path, with the files beside it and no arguments, and whatever it is called."""
    make_torchvision_fit()
    folder = str(file.resolve().parent)
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)
    sys.argv = [str(file)]  # for an argparse at import: the process's own arguments are none of its business
    name = _module_name(file)
    spec = importlib.util.spec_from_file_location(name, file, loader=_Script(name, str(file)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and torch.compile find what a model uses by its module's name
    spec.loader.exec_module(module)
    return module


def _module_name(file: Path) -> str:
    """Return the name by which other processes can import the file, as workers that are spawned do.

    Where another module has that name, or it is none, the file gets one that nothing else has.
    """
    name = file.stem
    if name.isidentifier() and name not in sys.modules and name not in sys.stdlib_module_names:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None and Path(found.origin).samefile(file):
            return name
    return f"gpubench_user_{name.replace('.', '_')}"  # with dots it would seem to be in a package


class _Script(SourceFileLoader):
    """Loads a file from its source: like a script it leaves no `__pycache__`, and takes none."""

    def path_stats(self, path: str) -> Any:
        raise OSError(f"{path} is not cached")


def _call(file: Path, function: str, build: Callable[..., object], classes: int, image_size: int) -> object:
    """Call a function with those of the two that it takes by name; a sole argument gets the classes."""
    try:
        signature = inspect.signature(build)
    except ValueError:  # it has none to be looked at
        return build(classes)
    values = {**dict.fromkeys(NAMES_OF_CLASSES, classes), "image_size": image_size}
    by_name = {
        name: values[name]
        for name, parameter in signature.parameters.items()
        if name in values and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    needed = [each for each in signature.parameters.values() if each.default is each.empty]
    alone = not by_name and len(needed) == 1 and needed[0].kind is not inspect.Parameter.VAR_KEYWORD
    positional = (classes,) if alone else ()
    try:
        signature.bind(*positional, **by_name)
    except TypeError as error:
        raise TrainingError(
            f"{place_of_function(file, build)}: {function} must take no argument, classes, or classes and "
            f"image_size: {error}"
        ) from error
    return build(*positional, **by_name)


def place_of_function(file: Path, build: Callable[..., object]) -> Place:
    """Return where a function begins that a user's file has, or the class of what is called in its place.

    It is the file alone where that is a library's.
    """
    code: Any = inspect.unwrap(build)
    code = code.func if isinstance(code, partial) else code
    code = code if inspect.isroutine(code) or inspect.isclass(code) else type(code)
    try:
        place = Place(inspect.getsourcefile(code) or "", inspect.getsourcelines(code)[1])
    except (TypeError, OSError, ValueError):
        return Place(str(file))
    return place if UserCode(file).holds(place.file) else Place(str(file))
