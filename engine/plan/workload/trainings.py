"""Names of trainings: what each of them names, and whether there is such a training, without running it."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ...text.suggestions import nearest
from ...text.toml import toml_value
from .language_models import LANGUAGE_MODELS, problem_with_language
from .python_file import Source, SourceError, parameters_of, read_source, signature_of
from .workload import Workload

TRAININGS = {
    "images": "an image classifier, `model`, on the images of `data`",
    "tokens": "a language model, `model`, on the text or tokens of `data`",
}
"""Trainings by their name, each with what it is."""

REQUIRED = {"build_model": (), "loss": ("model", "batch")}
"""Functions that a training's own file must have; the arguments of the first are the preset's."""
OPTIONAL = {
    "batches": ("rank", "world_size", "batch", "device"),
    "test_batches": ("rank", "world_size", "batch", "device"),
    "make_optimizer": ("model",),
    "samples": ("batch",),
    "evaluate": ("model", "batch"),
}
"""Functions that it may have, with their arguments, which are given by position."""
UNIT = "UNIT"
"""Name of a file's constant: the unit of its throughput, in the plural."""
DEFAULT_UNIT = "samples"
"""Unit of a file that names none."""
LONGEST_UNIT = 24
"""Characters of a unit at most, which stands in every line of a table."""
LIKE = 0.8
"""Likeness to the name of a function from which on an unused one is taken for a mistyped name."""


class TrainingProblem(NamedTuple):
    """Why a workload's training cannot be used."""

    key: str
    """Key of the workload that is at fault."""
    problem: str
    """Phrase that says what would be right."""


def own_training(training: str) -> Path | None:
    """Return the file of a training of one's own; None for the name of any other."""
    return Path(training) if training.endswith(".py") else None


def planned_unit(workload: Workload) -> str:
    """Return the unit of a workload's throughput as far as it is known before it runs, else `samples`."""
    return workload.training if own_training(workload.training) is None else DEFAULT_UNIT


def has_own_data(workload: Workload) -> bool:
    """Return whether a training's own file makes its batches itself, or only its import can tell."""
    file = own_training(workload.training)
    return file is not None and defines(file, "batches")


def makes_batches(workload: Workload) -> bool:
    """Return whether a training's own file is known to make its batches: the data keys are idle then."""
    file = own_training(workload.training)
    try:
        names = read_source(file).names if file is not None else None
    except SourceError:
        return False
    return names is not None and "batches" in names


def defines(file: Path, function: str) -> bool:
    """Return whether a file has a function of that name, or only its import can tell."""
    try:
        names = read_source(file).names
    except SourceError:
        return False
    return names is None or function in names


def problem_with_training(workload: Workload) -> TrainingProblem | None:
    """Return why there is no such training, or why its arguments do not fit; None if all is well.

    What only the import of a user's file would show is left to the ranks.
    """
    file = own_training(workload.training)
    if file is None:
        if workload.training not in TRAININGS:
            known = ", ".join(TRAININGS)
            problem = f"there is no training {workload.training!r}: use {known} or path/to/file.py"
            return TrainingProblem("training", problem)
        if workload.arguments:
            problem = 'only a training of your own takes arguments: set training = "path/to/file.py"'
            return TrainingProblem("arguments", problem)
        problems = problem_with_language if workload.training == "tokens" else _problem_with_images
        found = problems(workload)
        return TrainingProblem(*found) if found else None
    try:
        source = read_source(file)
    except SourceError as error:
        return TrainingProblem("training", str(error))
    problem = _problem_with_names(file, source) or _problem_with_signatures(file, source)
    if problem:
        return TrainingProblem("training", problem)
    function = source.functions.get("build_model")
    problem = _problem_with_arguments(file, function, workload.arguments) if function is not None else ""
    return TrainingProblem("arguments", problem) if problem else None


def _problem_with_images(workload: Workload) -> tuple[str, str] | None:
    """Return which key an image classifier cannot be trained with, and why; None if all fit."""
    if workload.data in ("text", "tokens"):
        return "data", f'"{workload.data}" is for language models: set training = "tokens"'
    if workload.model in LANGUAGE_MODELS:
        return "model", f'{workload.model} is a language model: set training = "tokens"'
    return None


def _problem_with_names(file: Path, source: Source) -> str:
    """Return which function is missing or seems to be mistyped, or that UNIT is no text."""
    if source.names is None:
        return ""
    functions = [name for name, is_function in source.names.items() if is_function]
    for name in REQUIRED:
        if name not in source.names:
            near = nearest(name, functions) if difflib.get_close_matches(name, functions, n=1) else ""
            return f"{file} has no function {name!r}{near or f': expected def {_form(name)}'}"
    known = {**REQUIRED, **OPTIONAL}
    for name in functions:
        meant = difflib.get_close_matches(name, OPTIONAL, n=1, cutoff=LIKE)
        if name not in known and name not in source.used and meant and meant[0] not in source.names:
            line = f":{source.functions[name].lineno}" if name in source.functions else ""
            return f"{file}{line}: nothing calls {name}; did you mean {meant[0]}?"
    value, line_of_unit = source.constants.get(UNIT, (DEFAULT_UNIT, 0))
    problem = problem_with_unit(value)
    return f"{file}:{line_of_unit}: {problem}" if problem else ""


def problem_with_unit(unit: object) -> str:
    """Return why a value cannot be the unit of a throughput in tables and sentences; empty if it can."""
    if not isinstance(unit, str):
        return f'{UNIT} must be text, as in {UNIT} = "frames", not {type(unit).__name__}'
    if not unit.strip() or not unit.isprintable():
        return f'{UNIT} must be a word that can be printed, as in {UNIT} = "frames", not {ascii(unit)[:40]}'
    if len(unit) > LONGEST_UNIT:
        return f"{UNIT} must have {LONGEST_UNIT} characters at most, not {len(unit):,}"
    if unit.endswith("/s"):
        return f'{UNIT} must be what is counted, "{unit[:-2]}": a throughput is in {unit} then'
    return ""


def _form(name: str) -> str:
    return "build_model(**arguments)" if name == "build_model" else f"{name}({', '.join(REQUIRED[name])})"


def _problem_with_signatures(file: Path, source: Source) -> str:
    """Return which function does not take its arguments."""
    for name, arguments in {**REQUIRED, **OPTIONAL}.items():
        function = source.functions.get(name)
        if function is None or not arguments:
            continue
        try:
            signature_of(function).bind(*arguments)
        except TypeError as error:
            expected = f"{name}({', '.join(arguments)})"
            return f"{file}:{function.lineno}: {name} must be callable as {expected}: {error}"
    return ""


def _problem_with_arguments(file: Path, function: ast.FunctionDef, arguments: Mapping[str, object]) -> str:
    signature = signature_of(function)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        given = ", ".join(f"{name} = {toml_value(value)}" for name, value in arguments.items())
        takes = ", ".join(parameters_of(signature)) or "none"
        where = f"{file}:{function.lineno}"
        return f"{where}: build_model takes {takes}; given {given or 'none'}: {error}"
    return ""
