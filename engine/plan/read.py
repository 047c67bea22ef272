"""Reading of a preset: from its text to a validated `Preset`, or an error that names the key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ..text.files import parse_toml, user_path
from ..text.plain import cut_in_middle, without_surrogates
from .explain import explain
from .models import own_function, problem_with_model
from .preset import Matrix, Measure, Preset, laid_over
from .trainings import own_training, problem_with_training
from .workload import Workload

Table = dict[str, Any]
T = TypeVar("T")


class PresetError(ValueError):
    """A preset that cannot be used."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        file, key, problem = (cut_in_middle(file, 200), cut_in_middle(key, 200), cut_in_middle(problem))
        super().__init__(file, key, problem)
        self.file = file
        """Name of the file, or the option that is at fault."""
        self.key = key
        """Key that is at fault, as in `workloads.cnn.batch`; empty where it is none in particular."""
        self.problem = problem
        """Error and what would be right, as a phrase that follows the key."""

    def __str__(self) -> str:
        key = "" if self.file.startswith(f"--set {self.key}=") else self.key
        return ": ".join(filter(None, (self.file, key, self.problem)))


def read_preset(text: str, file: str, overrides: Sequence[str] = (), folder: Path | None = None) -> Preset:
    """Validate the text of a preset, after applying `key=value` overrides.

    `file` names it in errors. Relative paths in the text start at `folder`, those in overrides at the
    current directory. Raises `PresetError`.
    """
    try:
        return _read(text, file, overrides, folder)
    except PresetError as error:
        named = of_override(error, overrides)
        if named is error and overrides and _is_valid(text, file, folder):
            together = " ".join(f"--set {override}" for override in overrides)
            named = PresetError(f"with {together}", error.key, error.problem)
        raise named from None


def of_override(error: PresetError, overrides: Sequence[str]) -> PresetError:
    """Return an error as that of the override that gave the key its value, if one of them did."""
    key = re.sub(r"\[\d+\]", "", error.key)
    of_all = re.sub(r"^workloads\.[^.]+\.", "workload.", key)
    for override in reversed(overrides):
        given = ".".join(_key_parts(override))
        if key and any(_is_within(one, given) or _is_within(given, one) for one in (key, of_all)):
            return PresetError(f"--set {override}", error.key, error.problem)
    return error


def _is_within(key: str, table: str) -> bool:
    return key == table or key.startswith(f"{table}.")


def _is_valid(text: str, file: str, folder: Path | None) -> bool:
    try:
        _read(text, file, (), folder)
    except PresetError:
        return False
    return True


def _read(text: str, file: str, overrides: Sequence[str], folder: Path | None) -> Preset:
    table = _parse(text, file)
    here = _current_folder(file)
    _resolve_paths(table, folder or here)
    own_keys = {name: set(part) for name, part in _items(table.get("workloads")) if isinstance(part, dict)}
    for override in overrides:
        _apply(table, override)
    _resolve_paths(table, here)
    _merge_workloads(table, file)
    preset = _convert(table, file)
    _check(preset, file)
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
    _convert_part(preset.gpu.workload, Workload, file, "gpu.workload")
    _convert_part(preset.gpu.measure, Measure, file, "gpu.measure")
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


def _apply(table: Table, override: str) -> None:
    key, separator, value = override.partition("=")
    *parents, last = _key_parts(override)
    if not separator or not re.fullmatch(r"[\w-]+(\.[\w-]+)*", key.strip()):
        raise PresetError(f"--set {override}", "", "expected key=value, as in --set workload.batch=64")
    _drop_overlay(table, parents, last)
    for parent in parents:
        child = table.setdefault(parent, {})
        if not isinstance(child, dict):
            raise PresetError(f"--set {override}", "", f"{parent} is a value, not a table")
        table = child
    if re.fullmatch(r"[+-]?[1-9]\d*", value.strip()) and isinstance(_parse_value(value), str):
        raise PresetError(f"--set {override}", "", "expected an integer of at most 64 bits")
    table[last] = _parse_value(value)


def _key_parts(override: str) -> list[str]:
    return override.partition("=")[0].strip().split(".")


def _drop_overlay(table: Table, parents: Sequence[str], key: str) -> None:
    """Drop what `[gpu]` says of a key that is overridden, which would count instead."""
    section = {"workloads": "workload"}.get(parents[0], parents[0]) if parents else ""
    overlay = table.get("gpu")
    part = overlay.get(section) if isinstance(overlay, dict) else None
    if isinstance(part, dict):
        part.pop(key, None)


def _parse_value(value: str) -> Any:
    """Parse a TOML value; take anything else as a string, so that words need no quotes."""
    try:
        return parse_toml(f"value = {value}")["value"]
    except ValueError:
        return value.strip()


def _resolve_paths(table: Table, folder: Path) -> None:
    """Make `data_dir` and the files of a user's own model and training absolute."""
    overlay = table.get("gpu")
    workloads = [table.get("workload"), *(part for _, part in _items(table.get("workloads")))]
    workloads += [overlay.get("workload")] if isinstance(overlay, dict) else []
    for workload in workloads:
        if not isinstance(workload, dict):
            continue
        if isinstance(workload.get("data_dir"), str):
            workload["data_dir"] = str(folder / user_path(workload["data_dir"]))
        training = workload.get("training")
        if isinstance(training, str) and (file := own_training(training)) is not None:
            workload["training"] = str(folder / user_path(str(file)))
        model = workload.get("model")
        if isinstance(model, str) and (own := own_function(model)) is not None:
            path, function = own
            workload["model"] = f"{folder / user_path(str(path))}:{function}"


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _merge_workloads(table: Table, file: str) -> None:
    """Lay each named workload over the defaults of `[workload]`."""
    defaults, named = table.get("workload", {}), table.get("workloads", {})
    if not isinstance(defaults, dict) or not isinstance(named, dict):
        raise PresetError(
            file, "", "workload and workloads must be tables, as in [workload] and [workloads.cnn]"
        )
    for name, workload in named.items():
        if not isinstance(workload, dict):
            raise PresetError(file, f"workloads.{name}", f"expected a table, as in [workloads.{name}]")
        named[name] = laid_over({**defaults, "name": name}, workload)


def _check_overrides(
    preset: Preset, own_keys: Mapping[str, Set[str]], file: str, overrides: Sequence[str]
) -> None:
    """Refuse an override without effect, of a key that another one replaces.

    `own_keys` are the keys that each named workload of the file gives itself.
    """
    given = {".".join(_key_parts(override)) for override in overrides}
    names = list(preset.used_workloads) if preset.workloads else []
    for key in sorted(given):
        *parents, last = key.split(".")
        section = ".".join(parents)
        is_workload = section in ("workload", "gpu.workload") or parents[:1] == ["workloads"]
        if is_workload and last == "batch" and preset.matrix.batches:
            raise PresetError(file, key, "replaced by matrix.batches; set matrix.batches instead")
        replaced = [f"{name}.{last}" for name in names if last in own_keys.get(name.partition(".")[2], ())]
        if (
            section == "workload"
            and names
            and len(replaced) == len(names)
            and not given.intersection(replaced)
        ):
            own = ", ".join(replaced)
            raise PresetError(file, key, f"replaced in every named workload; set {own} instead")


def _check(preset: Preset, file: str) -> None:
    """Check what types cannot express."""
    _check_names(preset, file)
    _check_baseline(preset.matrix, file)
    for key, workload in preset.used_workloads.items():
        _check_workload(workload, file, key)
    for workload in preset.for_gpus().used_workloads.values():
        _check_workload(workload, file, "gpu.workload")


def _check_names(preset: Preset, file: str) -> None:
    """Check that the workloads named in the matrix exist."""
    matrix, known = preset.matrix, ", ".join(preset.workloads) or "none"
    named: list[tuple[str, str | None]] = [("workloads", name) for name in matrix.workloads]
    named += [(f"only[{index}].workload", part.workload) for index, part in enumerate(matrix.only)]
    named += [("baseline.workload", matrix.baseline.workload)] if matrix.baseline else []
    for key, name in named:
        if name is not None and name not in preset.workloads:
            raise PresetError(file, f"matrix.{key}", f"no workload {name!r}; choose from: {known}")


def _check_baseline(matrix: Matrix, file: str) -> None:
    baseline = matrix.baseline
    if baseline is None:
        return
    key = "matrix.baseline"
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


def _check_workload(workload: Workload, file: str, key: str) -> None:
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
