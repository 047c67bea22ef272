"""The variables under test: keys of the workload that the matrix varies on purpose, and their values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import PurePath
from typing import Any

import msgspec
from msgspec.structs import replace

from ...text.plain import cut_in_middle
from ...text.toml import toml_value
from ..workload.workload import Workload
from .errors import PresetError
from .explain import explain
from .keys_in_effect import takes_effect
from .preset import Baseline, Matrix, Mode, Preset, Published, Selection
from .values import FIT_FOR_RECORD, unfit_for_record, value_at, with_values

MOST_COMBINATIONS = 10_000
"""Combinations of varied values at most."""
LONGEST_VALUES = 40
"""Characters up to which a label gives all values; beyond, those that are not the first ones."""
CONTROL = "control"
"""Name of the combination of all first values."""
LONGEST_VALUE = 24
"""Characters of a value in a label at most."""
SPEAKING = frozenset({"model", "training", "data", "precision", "optimizer"})
"""Keys whose values say by themselves what they are."""

Varied = Mapping[str, Any]
"""Values of varied keys, by the key."""


def combinations(vary: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield each combination of the values of varied keys; without any, one that is empty."""
    for values in product(*vary.values()):
        yield dict(zip(vary, values, strict=True))


def effective(varied: Varied, workload: Workload, mode: Mode) -> dict[str, Any]:
    """Return the values of the varied keys that take effect in a run of that mode."""
    return {key: value for key, value in varied.items() if takes_effect(key, workload, mode)}


def with_varied_values(preset: Preset, file: str) -> Preset:
    """Return a preset whose varied values have the type of their keys. Raises `PresetError`."""
    matrix, workload = preset.matrix, preset.workload

    def selected(part: Selection | Baseline, key: str) -> dict[str, Any]:
        found = varied_values({name: (value,) for name, value in part.vary.items()}, workload, file, key)
        return {name: value for name, (value,) in found.items()}

    only = [
        replace(part, vary=selected(part, f"matrix.only[{index}].vary."))
        for index, part in enumerate(matrix.only)
    ]
    baseline = matrix.baseline
    if baseline is not None:
        baseline = replace(baseline, vary=selected(baseline, "matrix.baseline.vary."))
    vary = varied_values(matrix.vary, workload, file, "matrix.vary.")
    if "batch" in vary:
        raise PresetError(
            file, "matrix.vary.batch", "its values are in matrix.batches too: leave one of them"
        )

    def with_selected(study: Published, number: int) -> Published:
        figures = [
            replace(figure, vary=selected(figure, f"published[{number}].figures[{index}].vary."))
            for index, figure in enumerate(study.figures)
        ]
        return replace(study, figures=tuple(figures))

    return replace(
        preset,
        matrix=replace(matrix, vary=vary, only=tuple(only), baseline=baseline),
        published=tuple(with_selected(study, number) for number, study in enumerate(preset.published)),
    )


def varied_values(
    vary: Mapping[str, Sequence[Any]], workload: Workload, file: str, before: str
) -> dict[str, tuple[Any, ...]]:
    """Return values with the type of their keys, as TOML has it. Raises `PresetError`.

    `before` begins the keys that errors name.
    """
    if math.prod(max(1, len(values)) for values in vary.values()) > MOST_COMBINATIONS:
        problem = f"it has too many combinations of values; expected {MOST_COMBINATIONS:,} at most"
        raise PresetError(file, before.strip("."), problem)
    found = {}
    for key, values in vary.items():
        if not values:
            raise PresetError(file, f"{before}{key}", "expected one or more values")
        typed: list[Any] = []
        for index, given in enumerate(values):
            at = f"{before}{key}[{index}]" if len(values) > 1 else f"{before}{key}"
            value = _typed(key, given, workload, file, at)
            _check_fit(given, file, at)
            if value in typed:
                raise PresetError(file, at, f"{toml_value(value)} appears twice")
            typed.append(value)
        found[key] = tuple(typed)
    return found


def _typed(key: str, value: Any, workload: Workload, file: str, at: str) -> Any:
    if key == "name":
        raise PresetError(
            file, at, "a name says nothing about the training; expected another key of [workload]"
        )
    try:
        return value_at(with_values(workload, {key: value}), key)
    except msgspec.ValidationError as error:
        raise PresetError(file, at, explain(str(error), "workload")[1]) from None


def _check_fit(value: Any, file: str, at: str) -> None:
    """Check that a value equals itself, and is the same after it has been recorded. Raises `PresetError`."""
    if (unfit := next(unfit_for_record(value), None)) is not None:
        raise PresetError(file, at, f"{unfit}; {FIT_FOR_RECORD}")


def check_selected_values(matrix: Matrix, file: str, before: str) -> None:
    """Check that what `only` and `baseline` select by is varied. Raises `PresetError`."""
    parts: list[tuple[str, Varied]] = [(f"only[{i}]", part.vary) for i, part in enumerate(matrix.only)]
    parts += [("baseline", matrix.baseline.vary)] if matrix.baseline is not None else []
    for name, selected in parts:
        for key, value in selected.items():
            at = f"{before}matrix.{name}.vary.{key}"
            if key not in matrix.vary:
                known = ", ".join(matrix.vary) or "none"
                raise PresetError(file, at, f"not varied; varied keys, in matrix.vary: {known}")
            if value not in matrix.vary[key]:
                raise PresetError(file, at, f"{toml_value(value)} is not among matrix.vary.{key}")


def short_key(key: str) -> str:
    """Return a key without the names of its tables: `depth` for `arguments.depth`."""
    return key.rpartition(".")[2]


def value_text(value: Any) -> str:
    """Write a value in a few characters, as tables and labels show it."""
    if isinstance(value, str):
        named = re.fullmatch(r"(.*\.py)(:\w+)?", value)
        text = PurePath(named[1]).name + (named[2] or "") if named else value or '""'
    elif isinstance(value, list | tuple):
        text = "+".join(map(value_text, value)) or "none"
    elif isinstance(value, float):
        text = f"{value:g}"
    else:
        text = "none" if value is None else toml_value(value)
    return cut_in_middle(text, LONGEST_VALUE)


def setting_text(key: str, value: Any) -> str:
    """Write a key with its value in a few words: `bf16`, `compile`, `no compile`, `depth 12`."""
    if isinstance(value, bool):
        return short_key(key) if value else without(short_key(key))
    return value_text(value) if key in SPEAKING else f"{short_key(key)} {value_text(value)}"


def without(name: str) -> str:
    """Return the words for a key that is false: `no compile`."""
    return f"no {name}"


def settings_text(varied: Varied) -> str:
    """Write the values of varied keys in a few words: `bf16, compile`."""
    return ", ".join(setting_text(key, value) for key, value in varied.items())


def values_in_words(every: Sequence[Varied], vary: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return the values of each run in the words of its label, alike in form for all runs of a plan."""
    whole = [settings_text(varied) for varied in every]
    if max(map(len, whole), default=0) <= LONGEST_VALUES:
        return whole
    changed = ({key: value for key, value in varied.items() if value != vary[key][0]} for varied in every)
    return [settings_text(values) or CONTROL for values in changed]
