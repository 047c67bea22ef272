"""From a preset's text to a validated `Preset`; whatever is wrong with it is said in one sentence."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from .explain import explain
from .preset import Matrix, Preset, Workload

Table = dict[str, Any]


class PresetError(ValueError):
    """A preset cannot be used; the message names the file, the key and what would be right."""


def read_preset(text: str, file: str, overrides: Sequence[str] = (), folder: Path | None = None) -> Preset:
    """Validate the text of a preset, after applying `key=value` overrides.

    `file` names it in errors; relative paths in it are meant from `folder`, those in overrides from the
    current directory. Raises `PresetError`.
    """
    table = _parse(text, file)
    _resolve_paths(table, folder or Path.cwd())
    for override in overrides:
        _apply(table, override)
    _resolve_paths(table, Path.cwd())
    _merge_workloads(table, file)
    preset = _convert(table, file)
    _check(preset, file, overrides)
    return preset


def write_preset(preset: Preset) -> str:
    """The preset as TOML that `read_preset` reads back to an equal preset."""
    table = msgspec.to_builtins(preset)
    return tomli_w.dumps(_without_none(table))


def _convert(table: Table, file: str) -> Preset:
    # Named workloads first and one by one: of a table's own keys msgspec's messages do not tell the name.
    for name, workload in table.get("workloads", {}).items():
        try:
            msgspec.convert(workload, Workload)
        except msgspec.ValidationError as error:
            raise PresetError(explain(str(error), file, f"workloads.{name}")) from None
    try:
        return msgspec.convert(table, Preset)
    except msgspec.ValidationError as error:
        raise PresetError(explain(str(error), file)) from None


def _parse(text: str, file: str) -> Table:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PresetError(f"{file}: not valid TOML: {error}") from None


def _apply(table: Table, override: str) -> None:
    key, separator, value = override.partition("=")
    key = key.strip()
    if not separator or not re.fullmatch(r"[\w-]+(\.[\w-]+)*", key):
        raise PresetError(f"--set {override}: expected key=value, as in --set workload.batch=64")
    *parents, last = key.split(".")
    for parent in parents:
        child = table.setdefault(parent, {})
        if not isinstance(child, dict):
            raise PresetError(f"--set {override}: {parent} is a value, not a table")
        table = child
    table[last] = _parse_value(value.strip())


def _parse_value(value: str) -> Any:
    """A TOML value; anything that is none is taken as a string, so that words need no quotes."""
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _resolve_paths(table: Table, folder: Path) -> None:
    """Make `data_dir` and the file of a user's own model absolute."""
    workloads = [table.get("workload"), *_tables(table.get("workloads"))]
    for workload in workloads:
        if not isinstance(workload, dict):
            continue
        if isinstance(workload.get("data_dir"), str):
            workload["data_dir"] = str(folder / Path(workload["data_dir"]).expanduser())
        model = workload.get("model")
        if isinstance(model, str) and ".py:" in model:
            path, _, function = model.rpartition(":")
            workload["model"] = f"{folder / Path(path).expanduser()}:{function}"


def _tables(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def _merge_workloads(table: Table, file: str) -> None:
    """Lay each named workload over the defaults of `[workload]`."""
    defaults, named = table.get("workload", {}), table.get("workloads", {})
    if not isinstance(defaults, dict) or not isinstance(named, dict):
        raise PresetError(
            f"{file}: workload and workloads must be tables, as in [workload] and [workloads.cnn]"
        )
    for name, workload in named.items():
        if not isinstance(workload, dict):
            raise PresetError(f"{file}: workloads.{name}: expected a table, as in [workloads.{name}]")
        named[name] = {**defaults, "name": name, **workload}


def _check(preset: Preset, file: str, overrides: Sequence[str]) -> None:
    """What types cannot say."""
    matrix = preset.matrix
    _check_names(preset, file)
    _check_baseline(matrix, file)
    if matrix.batches and any(override.startswith("workload.batch=") for override in overrides):
        raise PresetError(f"{file}: workload.batch is replaced by matrix.batches; set matrix.batches instead")
    for key, workload in workloads(preset).items():
        _check_workload(workload, f"{file}: {key}")


def _check_names(preset: Preset, file: str) -> None:
    """Workloads named in the matrix must be there."""
    matrix, known = preset.matrix, ", ".join(preset.workloads) or "none"
    named: list[tuple[str, str | None]] = [("workloads", name) for name in matrix.workloads]
    named += [(f"only[{index}].workload", part.workload) for index, part in enumerate(matrix.only)]
    named += [("baseline.workload", matrix.baseline.workload)] if matrix.baseline else []
    for key, name in named:
        if name is not None and name not in preset.workloads:
            raise PresetError(f"{file}: matrix.{key}: no workload {name!r}; there are: {known}")


def _check_baseline(matrix: Matrix, file: str) -> None:
    baseline = matrix.baseline
    if baseline is None:
        return
    if baseline.mode not in matrix.modes:
        raise PresetError(f"{file}: matrix.baseline.mode: {baseline.mode!r} is not among matrix.modes")
    if baseline.mode == "concurrent":
        raise PresetError(
            f"{file}: matrix.baseline.mode: trainings side by side are no baseline; expected another of "
            "matrix.modes"
        )
    if baseline.mode == "single" and baseline.devices != 1:
        raise PresetError(f"{file}: matrix.baseline.devices: expected 1, which single has by definition")
    if baseline.mode == "dp" and baseline.devices == 1:
        raise PresetError(f"{file}: matrix.baseline.devices: expected 2 or more, which dp needs")
    if baseline.mode != "single" and baseline.devices not in matrix.devices:
        raise PresetError(f"{file}: matrix.baseline.devices: {baseline.devices} is not among matrix.devices")
    if baseline.batch is not None and baseline.batch not in matrix.batches:
        raise PresetError(f"{file}: matrix.baseline.batch: {baseline.batch} is not among matrix.batches")


def _check_workload(workload: Workload, where: str) -> None:
    if workload.data == "folder" and workload.data_dir is None:
        raise PresetError(
            f'{where}.data_dir: missing; data = "folder" needs the folder with train/CLASS/ and test/CLASS/'
        )
    if list(workload.milestones) != sorted(set(workload.milestones)):
        raise PresetError(f"{where}.milestones: expected rising epochs, as in [150, 250]")
    if ".py:" in workload.model and not Path(workload.model.rpartition(":")[0]).is_file():
        raise PresetError(f"{where}.model: no file {workload.model.rpartition(':')[0]}")


def workloads(preset: Preset) -> dict[str, Workload]:
    """The workloads that the matrix runs, by the key of their table."""
    if not preset.workloads:
        return {"workload": preset.workload}
    chosen = preset.matrix.workloads or tuple(preset.workloads)
    return {f"workloads.{name}": preset.workloads[name] for name in chosen}


def _without_none(value: Any) -> Any:
    """TOML has no null: a key whose value is None is left out."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list | tuple) else value
