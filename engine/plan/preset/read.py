"""Reading of a preset: from its text to a validated `Preset`, or an error that names the key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from ...text.files import parse_toml
from ...text.plain import without_surrogates
from ..workload.models import problem_with_model
from ..workload.trainings import problem_with_training
from ..workload.workload import Workload
from .errors import PresetError
from .explain import explain
from .overrides import (
    BATCHES,
    OVERLAY,
    VARIED,
    apply_override,
    as_typed,
    of_override,
    overridden_key,
)
from .preset import Matrix, Measure, Preset
from .tables import Table, merge_workloads, normalise, tables_in
from .values import FIT_FOR_RECORD, laid_over, unfit_for_record, with_values
from .vary import check_selected_values, combinations, varied_values, with_varied_values

T = TypeVar("T")


def read_preset(text: str, file: str, overrides: Sequence[str] = (), folder: Path | None = None) -> Preset:
    """Validate the text of a preset, after applying overrides (see `overrides`).

    `file` names it in errors. Relative paths in the text start at `folder`, those in overrides at the
    current directory. Raises `PresetError`.
    """
    try:
        return _read(text, file, overrides, folder)
    except PresetError as error:
        named = of_override(error, overrides)
        of_option = error.file in map(as_typed, overrides)
        if named is error and overrides and not of_option and _is_valid(text, file, folder):
            together = " ".join(map(as_typed, overrides))
            named = PresetError(f"with {together}", error.key, error.problem)
        raise named from None


def _is_valid(text: str, file: str, folder: Path | None) -> bool:
    try:
        _read(text, file, (), folder)
    except PresetError:
        return False
    return True


def _read(text: str, file: str, overrides: Sequence[str], folder: Path | None) -> Preset:
    table = _parse(text, file)
    here = _current_folder(file)
    normalise(table, file, folder or here)
    own_keys = {name: set(part) for name, part in tables_in(table.get("workloads"))}
    for override in overrides:
        apply_override(table, override)
    normalise(table, file, here)
    merge_workloads(table, file)
    preset = _convert(table, file)
    _check(preset, file)
    if preset.has_reduced_form:
        _check(preset.reduced(), file, f"{OVERLAY}.")
    _check_overrides(preset, own_keys, file, overrides)
    return preset


def _current_folder(file: str) -> Path:
    try:
        return Path.cwd()
    except OSError:
        problem = "cannot be run in the current folder, which has been deleted: change to one that exists"
        raise PresetError(file, "", problem) from None


def _convert(table: Table, file: str) -> Preset:
    # Named workloads first and one by one: msgspec's messages leave out the names of such tables.
    for name, workload in table.get("workloads", {}).items():
        _convert_part(workload, Workload, file, f"workloads.{name}")
    preset = _convert_part(table, Preset, file, "")
    changes = preset.without_gpus
    _convert_part(changes.workload, Workload, file, f"{OVERLAY}.workload")
    for name, keys in changes.workloads.items():
        _convert_part(keys, Workload, file, f"{OVERLAY}.workloads.{name}")
    _convert_part(changes.measure, Measure, file, f"{OVERLAY}.measure")
    preset = with_varied_values(preset, file)
    matrix = laid_over(msgspec.to_builtins(preset.matrix), changes.matrix)
    _convert_part(matrix, Matrix, file, f"{OVERLAY}.matrix")
    if "vary" in changes.matrix:
        vary = varied_values(changes.matrix["vary"], preset.workload, file, f"{OVERLAY}.{VARIED}")
        own = {"vary": {key: list(values) for key, values in vary.items()}}
        preset = replace(preset, without_gpus=replace(changes, matrix={**changes.matrix, **own}))
    return preset


def _convert_part(part: object, kind: type[T], file: str, key: str) -> T:
    try:
        return msgspec.convert(part, kind)
    except msgspec.ValidationError as error:
        raise PresetError(file, *explain(str(error), key)) from None


def _parse(text: str, file: str) -> Table:
    try:
        return parse_toml(text)
    except ValueError as error:
        raise PresetError(file, "", str(error)) from None


def _check_overrides(
    preset: Preset, own_keys: Mapping[str, Set[str]], file: str, overrides: Sequence[str]
) -> None:
    """Refuse an override without effect, of a key that another one replaces.

    `own_keys` are the keys that each named workload of the file gives itself.
    """
    given = set(map(overridden_key, overrides))
    names = list(preset.used_workloads) if preset.workloads else []
    instead = [(f"{VARIED}{varied}", varied) for varied in preset.matrix.vary]
    for key in sorted(given):
        *parents, last = key.split(".")
        section = ".".join(parents)
        within = re.fullmatch(rf"(?:{OVERLAY}\.)?(?:workload|workloads\.[^.]+)\.(.+)", key)
        for replaces, varied in ((BATCHES, "batch" if preset.matrix.batches else ""), *instead):
            if within and within[1] == varied:
                raise PresetError(file, key, f"replaced by {replaces}; set {replaces} instead")
        replaced = [f"{name}.{last}" for name in names if last in own_keys.get(name.partition(".")[2], ())]
        if (
            section == "workload"
            and names
            and len(replaced) == len(names)
            and not given.intersection(replaced)
        ):
            own = ", ".join(replaced)
            raise PresetError(file, key, f"replaced in every named workload; set {own} instead")


def _check(preset: Preset, file: str, before: str = "") -> None:
    """Check what types cannot express; `before` begins the keys of the reduced form."""
    _check_names(preset, file, before)
    _check_baseline(preset.matrix, file, before)
    check_selected_values(preset.matrix, file, before)
    _check_workloads(preset, file, before)


def _check_names(preset: Preset, file: str, before: str) -> None:
    """Check that the workloads named in the matrix exist."""
    matrix, known = preset.matrix, ", ".join(preset.workloads) or "none"
    named: list[tuple[str, str | None]] = [("workloads", name) for name in matrix.workloads]
    named += [(f"only[{index}].workload", part.workload) for index, part in enumerate(matrix.only)]
    named += [("baseline.workload", matrix.baseline.workload)] if matrix.baseline else []
    for key, name in named:
        if name is not None and name not in preset.workloads:
            raise PresetError(file, f"{before}matrix.{key}", f"no workload {name!r}; choose from: {known}")


def _check_baseline(matrix: Matrix, file: str, before: str) -> None:
    baseline = matrix.baseline
    if baseline is None:
        return
    key = f"{before}matrix.baseline"
    if baseline.mode not in matrix.modes:
        raise PresetError(file, f"{key}.mode", f"{baseline.mode!r} is not among matrix.modes")
    if baseline.mode == "concurrent":
        problem = "independent trainings are no baseline; expected another of matrix.modes"
        raise PresetError(file, f"{key}.mode", problem)
    if baseline.mode == "single" and baseline.devices != 1:
        raise PresetError(file, f"{key}.devices", "expected 1, which single has by definition")
    if baseline.mode == "dp" and baseline.devices == 1:
        raise PresetError(file, f"{key}.devices", "expected 2 or more, which dp needs")
    if baseline.mode != "single" and baseline.devices not in matrix.devices:
        raise PresetError(file, f"{key}.devices", f"{baseline.devices} is not among matrix.devices")
    if baseline.batch is not None and baseline.batch not in matrix.batches:
        raise PresetError(file, f"{key}.batch", f"{baseline.batch} is not among matrix.batches")


def _check_workloads(preset: Preset, file: str, before: str) -> None:
    """Check every workload; of varied ones, that each value is possible with some values of the others."""
    vary = preset.matrix.vary
    for table, workload in preset.used_workloads.items():
        problems = [
            (values, problem_with_workload(with_values(workload, values))) for values in combinations(vary)
        ]
        if all(problem is not None for _, problem in problems):
            key, problem = problems[0][1] or ("", "")
            of_values = key in vary or (vary and problem_with_workload(workload) is None)
            named = f"{before}{VARIED}{key}" if of_values else f"{before}{table}.{key}"
            raise PresetError(file, named, problem)
        for key, choices in vary.items():
            for index, value in enumerate(choices):
                of_value = [problem for values, problem in problems if values[key] == value]
                if all(of_value) and of_value[0] is not None:
                    raise PresetError(file, f"{before}{VARIED}{key}[{index}]", of_value[0][1])


def problem_with_workload(workload: Workload) -> tuple[str, str] | None:
    """Return the key that keeps a workload from being trained anywhere, and why; None if nothing does."""
    try:
        _check_workload(workload, "", "")
    except PresetError as error:
        return error.key.removeprefix("."), error.problem
    return None


def _check_workload(workload: Workload, file: str, key: str) -> None:
    if workload.data_dir is not None and not workload.data_dir.strip():
        raise PresetError(file, f"{key}.data_dir", "empty; expected a path, or leave it out")
    if workload.data == "folder" and workload.data_dir is None:
        problem = 'missing; data = "folder" needs the folder with train/CLASS/ and test/CLASS/'
        raise PresetError(file, f"{key}.data_dir", problem)
    if workload.data == "cifar10":
        for name, given, fixed in (
            ("classes", workload.classes, 10),
            ("image_size", workload.image_size, 32),
        ):
            if given != fixed:
                raise PresetError(file, f"{key}.{name}", f"{given}; CIFAR-10 has 10 classes of 32x32 images")
    if (unfit := next(unfit_for_record(workload.arguments), None)) is not None:
        raise PresetError(file, f"{key}.arguments", f"{unfit}; {FIT_FOR_RECORD}")
    for name in ("data_dir", "model", "training"):
        path = getattr(workload, name) or ""
        if without_surrogates(path) != path:
            raise PresetError(file, f"{key}.{name}", f"{path}: expected a path that is valid UTF-8")
    if list(workload.milestones) != sorted(set(workload.milestones)):
        raise PresetError(file, f"{key}.milestones", "expected rising epochs, as in [150, 250]")
    if found := problem_with_training(workload):
        raise PresetError(file, f"{key}.{found.key}", found.problem)
    if workload.training == "images" and (problem := problem_with_model(workload.model)):
        raise PresetError(file, f"{key}.model", problem)
