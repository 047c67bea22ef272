"""The file of a training of one's own: its functions, and the lines that sentences about them name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from ...plan.workload.trainings import DEFAULT_UNIT, OPTIONAL, REQUIRED, UNIT, problem_with_unit
from ...plan.workload.user_code import CalledFor, Place
from ..errors import TrainingError
from ..models.own import import_script, place_of_function


class OwnFile:
    """A file that defines a training; it is imported when it is made."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise TrainingError(f"the training's file {path.absolute()} does not exist")
        self.path = path
        self._module: ModuleType = import_script(path)
        for name, arguments in {**REQUIRED, **OPTIONAL}.items():
            self._check(name, arguments)
        self._contexts = {
            name: CalledFor(partial(self.place, name)) for name in (*REQUIRED, *OPTIONAL) if self.has(name)
        }

    @property
    def unit(self) -> str:
        """Unit of its throughput, in the plural."""
        unit = getattr(self._module, UNIT, DEFAULT_UNIT)
        if problem := problem_with_unit(unit):
            raise TrainingError(f"{self.path}: {problem}")
        return str(unit)

    def has(self, name: str) -> bool:
        """Return whether the file has a function of that name."""
        return callable(getattr(self._module, name, None))

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function of the file."""
        function: Callable[..., Any] = getattr(self._module, name)
        return function

    def place(self, name: str) -> Place:
        """Return where a function begins."""
        return place_of_function(self.path, self.function(name))._replace(function=name)

    def error(self, name: str, problem: str) -> TrainingError:
        """Return an error about a function, with the line where it begins."""
        return TrainingError(f"{self.place(name)._replace(function='')}: {name} {problem}")

    def calling(self, name: str) -> CalledFor:
        """Return the context of calling a function, and of what is done with what it returns."""
        return self._contexts[name]

    def check_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Raise TrainingError unless `build_model` takes these keyword arguments."""
        try:
            inspect.signature(self.function("build_model")).bind(**arguments)
        except TypeError as error:
            given = ", ".join(arguments) or "none"
            raise self.error(
                "build_model", f"does not take the workload's arguments ({given}): {error}"
            ) from error
        except ValueError:
            pass  # it has no signature to be checked

    def _check(self, name: str, arguments: tuple[str, ...]) -> None:
        """Check that a function is there if it must be, and takes its arguments."""
        value = getattr(self._module, name, None)
        if value is None and name in OPTIONAL:
            return
        if not callable(value):
            if value is None:
                raise TrainingError(f"{self.path} has no function {name!r}")
            raise TrainingError(f"{self.path}: {name} is {type(value).__name__}, not a function")
        if not arguments:
            return
        try:
            inspect.signature(value).bind(*arguments)
        except TypeError as error:
            called = f"{name}({', '.join(arguments)})"
            raise self.error(name, f"must be callable as {called}: {error}") from error
        except ValueError:
            pass
