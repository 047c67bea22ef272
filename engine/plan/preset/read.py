"""Reading of a preset: from its text to a validated `Preset`, or an error that names the key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from ...text.files import parse_toml
from ..workload.workload import Workload
from .checks import check_preset
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
from .values import laid_over
from .vary import varied_values, with_varied_values

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
    check_preset(preset, file)
    if preset.has_reduced_form:
        check_preset(preset.reduced(), file, f"{OVERLAY}.")
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
