"""The fields of the preset editor, one for each key of a preset, and the values that they show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ...engine.plan.preset.other_names import other_names
from ...engine.plan.preset.preset import Preset
from ...engine.plan.preset.reference import KeyReference, TableReference, preset_reference
from ...engine.text.toml import toml_value

MOST_USED = (
    "matrix.modes",
    "matrix.devices",
    "workload.training",
    "workload.model",
    "workload.batch",
    "workload.precision",
    "workload.compile",
    "workload.data",
    "workload.data_dir",
    "workload.placement",
    "workload.learning_rate",
    "measure.seconds",
    "measure.target",
    "measure.epochs",
    "measure.repeats",
)
"""Keys of the first group; all others follow in the tables that declare them."""
MOST_USED_GROUP = "Most used"
TABLES = ("matrix", "matrix.baseline", "workload", "measure")
"""Tables whose keys have fields, in the order of their groups."""
PERCENT = ("measure.target",)
"""Keys whose value is shown in percent."""
NOT_SET = "not set"


class EditorField(NamedTuple):
    """One field of the editor."""

    key: str
    """Key in the preset, as in `workload.batch` or `workloads.cnn.batch`."""
    group: str
    """Heading above the field."""
    reference: KeyReference
    """Values and meaning of the key."""

    @property
    def table(self) -> str:
        """Return the path of its table."""
        return self.key.rpartition(".")[0]

    @property
    def can_vary(self) -> bool:
        """Whether several values, with commas between them, are measured and compared."""
        kind, name = self.reference.kind, self.reference.name
        return self.table == "workload" and (kind in ("word", "number") or name in ("model", "training"))


def editor_fields(preset: Preset) -> tuple[EditorField, ...]:
    """Return a field for each key of the tables that make a plan, those most used first."""
    tables = {table.path.strip("[]"): table for table in preset_reference() if "[[" not in table.path}
    fields = {field.key: field for path in TABLES for field in _fields_of(tables, path, preset)}
    first = [fields.pop(key)._replace(group=MOST_USED_GROUP) for key in MOST_USED]
    named = [field for name in preset.workloads for field in _named_fields(name, tables["workload"])]
    return (*first, *fields.values(), *named)


def _fields_of(tables: Mapping[str, TableReference], path: str, preset: Preset) -> Iterator[EditorField]:
    """Yield the fields of a table; a table within it that is declared has fields of its own instead."""
    for key in tables[path].keys:
        name = f"{path}.{key.name}"
        # Named workloads each have the name of their table.
        if name not in tables and not (name == "workload.name" and preset.workloads):
            yield EditorField(name, f"[{path}]  {tables[path].meaning}", key)


def _named_fields(name: str, table: TableReference) -> Iterator[EditorField]:
    if re.fullmatch(r"[\w-]+", name):  # others cannot be named in an override
        heading = f"[workloads.{name}]  This one workload; [workload] changes all."
        for key in table.keys:
            if key.name != "name":
                yield EditorField(f"workloads.{name}.{key.name}", heading, key)


def shown_values(preset: Preset, fields: Sequence[EditorField]) -> dict[str, list[str]]:
    """Return each field's value as typed; several if the workloads differ, none if it is not set."""
    values = msgspec.to_builtins(preset)
    workloads = [_at(values, path.split(".")) for path in preset.used_workloads]
    shown = {}
    for field in fields:
        name = field.reference.name
        if field.key == "workload.batch" and preset.matrix.batches:
            found = [values["matrix"]["batches"]]
        elif field.can_vary and name in preset.matrix.vary:
            found = [preset.matrix.vary[name]]
        elif field.table == "workload":
            found = [workload[name] for workload in workloads]
        else:
            found = [_at(values, field.key.split("."))]
        texts = dict.fromkeys(_typed(field.key, value) or NOT_SET for value in found)
        shown[field.key] = [] if list(texts) == [NOT_SET] else list(texts)
    return shown


def _at(values: Any, parts: Sequence[str]) -> Any:
    for part in parts:
        values = None if values is None else values[part]
    return values


def _typed(key: str, value: Any) -> str:
    """Return a value as one types it; empty for none."""
    text = str(value)
    match value:
        case None | [] | ():
            text = ""
        case bool():
            text = text.lower()
        case float():
            text = f"{value * 100:.12g}%" if key in PERCENT else f"{value:.12g}"
        case [*items] if not any(isinstance(item, dict | list | tuple) for item in items):
            text = ", ".join(_typed(key, item) for item in items)
        case list() | tuple() | dict():
            text = toml_value(_without_none(value)) if value else ""
    return text


def _without_none(value: Any) -> Any:
    """Return a value without keys that have none, and without empty tables."""
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item not in (None, {})}
    return value


def matches_search(field: EditorField, text: str) -> bool:
    """Return whether the field's key, other names, meaning or values contain each word of the text."""
    reference = field.reference
    names = " ".join((reference.name, *other_names(reference.name)))
    searched = " ".join((field.key, names, names.replace("_", " "), reference.meaning, reference.values))
    return all(word in searched.lower() for word in text.lower().split())
