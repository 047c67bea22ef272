"""The tables of a preset as parsed from TOML, before they are validated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...text.files import user_path
from ..workload.models import own_function
from ..workload.trainings import own_training
from .errors import PresetError
from .overrides import OVERLAY
from .values import flat, laid_over

Table = dict[str, Any]

GPU_TABLE = (
    "no longer a table: what it says belongs in [workload] and [measure], and what these say now in "
    "[without_gpus.workload] and [without_gpus.measure], for machines without GPUs"
)
"""Problem of a preset in the form of earlier versions."""


def normalise(table: Table, file: str, folder: Path) -> None:
    """Give each thing that can be written in several ways one form; relative paths start at `folder`."""
    if not _is_empty(table.get("gpu", {})):
        raise PresetError(file, "gpu", GPU_TABLE)
    table.pop("gpu", None)
    overlay = table.get(OVERLAY)
    for part in (table, overlay if isinstance(overlay, dict) else {}):
        matrix = part.get("matrix")
        _flatten_varied(matrix)
        workloads = [part.get("workload"), *(each for _, each in tables_in(part.get("workloads")))]
        workloads += [matrix.get("vary"), *_selections(matrix)] if isinstance(matrix, dict) else []
        studies = part.get("published")
        for study in studies if isinstance(studies, list) else ():
            workloads += _selections({"only": study.get("figures")}) if isinstance(study, dict) else []
        for workload in workloads:
            _resolve_paths(workload, folder)


def _is_empty(value: Any) -> bool:
    """Return whether a value is a table with nothing in it but such tables."""
    return isinstance(value, dict) and all(map(_is_empty, value.values()))


def _selections(matrix: Table) -> list[Any]:
    """Return the values of varied keys that select a part of the matrix."""
    only, baseline = matrix.get("only"), matrix.get("baseline")
    parts = [*(only if isinstance(only, list) else ()), baseline]
    return [part.get("vary") for part in parts if isinstance(part, dict)]


def _resolve_paths(workload: Any, folder: Path) -> None:
    """Make `data_dir` and the files of a user's own model and training absolute, each of several values."""
    for key in ("data_dir", "model", "training"):
        value = workload.get(key) if isinstance(workload, dict) else None
        if isinstance(value, list):
            workload[key] = [_resolved(key, each, folder) for each in value]
        elif value is not None:
            workload[key] = _resolved(key, value, folder)


def _resolved(key: str, value: Any, folder: Path) -> Any:
    if not isinstance(value, str) or not value.strip():
        return value
    if key == "data_dir":
        return str(folder / user_path(value))
    if key == "training":
        return value if own_training(value) is None else str(folder / user_path(value))
    own = own_function(value)
    return value if own is None else f"{folder / user_path(str(own[0]))}:{own[1]}"


def tables_in(value: Any) -> list[tuple[str, Table]]:
    """Return the tables in a table, by their names."""
    return (
        [(name, part) for name, part in value.items() if isinstance(part, dict)]
        if isinstance(value, dict)
        else []
    )


def merge_workloads(table: Table, file: str) -> None:
    """Lay each named workload over the defaults of `[workload]`, and their reduced forms likewise."""
    defaults, named = table.get("workload", {}), table.get("workloads", {})
    if not isinstance(defaults, dict) or not isinstance(named, dict):
        raise PresetError(
            file, "", "workload and workloads must be tables, as in [workload] and [workloads.cnn]"
        )
    for name, workload in named.items():
        if not isinstance(workload, dict):
            raise PresetError(file, f"workloads.{name}", f"expected a table, as in [workloads.{name}]")
    _merge_reduced_workloads(table.get(OVERLAY), named, file)
    for name, workload in named.items():
        named[name] = laid_over({**defaults, "name": name}, workload)


def _merge_reduced_workloads(overlay: Any, named: Mapping[str, Table], file: str) -> None:
    """Give each named workload the reduced keys of `[workload]` that it does not replace itself."""
    if not isinstance(overlay, dict):
        return
    of_all, of_named = overlay.get("workload", {}), overlay.get("workloads", {})
    if not isinstance(of_all, dict) or not isinstance(of_named, dict):
        return  # refused in its conversion
    for name, workload in of_named.items():
        if name not in named:
            known = ", ".join(named) or "none"
            raise PresetError(
                file, f"{OVERLAY}.workloads.{name}", f"no workload {name!r}; choose from: {known}"
            )
        if not isinstance(workload, dict):
            return
    for name, workload in named.items():
        own = {key: value for key, value in workload.items() if key in of_all}
        keys = laid_over(laid_over(of_all, own), of_named.get(name, {}))
        if keys:
            overlay.setdefault("workloads", {})[name] = keys


def _flatten_varied(matrix: Any) -> None:
    """Write the varied keys of a `[matrix]` table with dots, and their batches as `batches`."""
    vary = matrix.get("vary") if isinstance(matrix, dict) else None
    if not isinstance(vary, Mapping):
        return
    flattened = {key.removeprefix("workload."): value for key, value in flat(vary)}
    if "batch" in flattened and "batches" not in matrix:
        matrix["batches"] = flattened.pop("batch")
    matrix["vary"] = flattened
