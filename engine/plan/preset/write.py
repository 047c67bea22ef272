"""A preset as a TOML file: every key that it has or could have, each under its meaning."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ...text.toml import toml_key, toml_value
from .preset import Preset
from .reference import KeyReference, TableReference, preset_reference

WIDTH = 100
"""Columns of the comments."""
ANY_OF_WORKLOAD = "Any keys of [workload] that differ from it."


def write_preset(preset: Preset) -> str:
    """Return the preset as TOML that `read_preset` turns into an equal preset.

    Keys without a value, and tables that the preset does not have, are there as comments.
    """
    values = msgspec.to_builtins(preset)
    tables = {table.path.strip("[]"): table for table in preset_reference()}
    lines = [
        *_keys(tables[""], values),
        *_table(tables["workload"], values["workload"]),
        *_workloads(values),
        *_table(tables["measure"], values["measure"]),
        *_table(tables["matrix"], values["matrix"]),
        *_optional_table(tables["matrix.baseline"], values["matrix"]["baseline"]),
        *_array(tables["matrix.only"], values["matrix"]["only"]),
        *_reduced(tables["without_gpus"], values["without_gpus"]),
        *_published(tables["published"], values["published"]),
    ]
    return "\n".join(lines) + "\n"


def _table(table: TableReference, values: Mapping[str, Any]) -> Iterator[str]:
    yield from _header(table)
    yield from _keys(table, values)


def _header(table: TableReference) -> Iterator[str]:
    yield ""
    yield from _comment(table.meaning)
    yield table.path


def _keys(table: TableReference, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a table under their meanings; those without a value as comments."""
    for key in table.keys:
        if key.values in ("table", "array of tables") and key.name != "vary":
            continue
        yield from _comment(_meaning(key))
        value = values.get(key.name)
        yield f"# {key.name} =" if value in (None, {}) else f"{key.name} = {toml_value(value)}"


def _meaning(key: KeyReference) -> str:
    default = {"required": "; required", "-": ""}.get(key.default, f"; default {key.default}")
    return f"{key.meaning} Takes: {key.takes}{default}."


def _workloads(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the named workloads with the keys in which they differ from `[workload]`."""
    defaults = values["workload"]
    yield ""
    yield from _comment(f"Named workloads, each with a table of its own. {ANY_OF_WORKLOAD}")
    if not values["workloads"]:
        yield "# [workloads.NAME]"
    for name, workload in values["workloads"].items():
        # The table gives it its name, whatever [workload] says.
        differing = {**defaults, "name": name}
        yield f"[workloads.{toml_key(name)}]"
        yield from _pairs({key: value for key, value in workload.items() if value != differing[key]})


def _reduced(table: TableReference, values: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the tables of the reduced form."""
    for key in table.keys:
        yield ""
        yield from _comment(f"{table.meaning.partition(':')[0]}: {key.meaning}")
        if key.name != "workloads":
            yield f"[without_gpus.{key.name}]"
            yield from _pairs(values[key.name])
            continue
        if not values[key.name]:
            yield "# [without_gpus.workloads.NAME]"
        for name, keys in values[key.name].items():
            yield f"[without_gpus.workloads.{toml_key(name)}]"
            yield from _pairs(keys)


def _optional_table(table: TableReference, values: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield a table; if the preset does not have it, as comments."""
    if values is not None:
        yield from _table(table, values)
        return
    yield ""
    yield from _comment(table.meaning)
    yield f"# {table.path}"
    yield from _comment_keys(table)


def _comment_keys(table: TableReference) -> Iterator[str]:
    for key in table.keys:
        yield from _comment(f"{key.name}: {_meaning(key)}")


def _array(table: TableReference, items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not items:
        yield from _optional_table(table, None)
    for item in items:
        yield ""
        yield table.path
        yield from _pairs(item)


def _published(table: TableReference, studies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for study in studies:
        yield from _header(table)
        yield from _pairs({key: value for key, value in study.items() if key != "figures"})
        yield "figures = ["
        yield from (f"    {toml_value(_given(figure))}," for figure in study["figures"])
        yield "]"
    if not studies:
        yield from _optional_table(table, None)


def _pairs(values: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{toml_key(key)} = {toml_value(value)}" for key, value in _given(values).items())


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not None, for TOML has no null; nor those of no varied keys."""
    return {key: value for key, value in values.items() if value is not None and (key, value) != ("vary", {})}


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
