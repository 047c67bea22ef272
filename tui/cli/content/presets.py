"""The content of one preset, and of the list of all keys: as data for `--json`, and as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from ....engine.plan.preset.library import find_preset
from ....engine.plan.preset.reference import OTHER_MODELS, TableReference, preset_reference
from ....engine.plan.preset.write import write_preset
from ....engine.plan.workload.models import BUILT_IN_MODELS
from .listing import Listing

WIDTH = 80
INDENT = "  "


def one_preset(name: str, overrides: Sequence[str]) -> Listing:
    """Return a preset with every key that it has or could have. Raises `PresetError`."""
    file = find_preset(name)
    preset = file.read(overrides)
    data = {"name": file.name, "path": str(file.path), "preset": msgspec.to_builtins(preset)}
    return Listing(data, write_preset(preset).rstrip("\n"))


def key_listing() -> Listing:
    """List all keys of a preset, table by table, with meaning, values and default, and all models."""
    tables, models = preset_reference(), BUILT_IN_MODELS | OTHER_MODELS
    data = {
        "tables": [
            {"table": table.path, "meaning": table.meaning, "keys": [key._asdict() for key in table.keys]}
            for table in tables
        ],
        "models": models,
    }
    lines = [line for table in tables for line in _table_lines(table)]
    lines.append("models, for workload.model")
    lines += [line for name, meaning in models.items() for line in _key_lines(name, "", meaning)]
    return Listing(data, "\n".join(lines))


def _table_lines(table: TableReference) -> Iterator[str]:
    yield from textwrap.wrap(f"{table.path}  {table.meaning}".strip(), WIDTH)
    group = ""
    for key in table.keys:
        if key.group != group:
            group = key.group
            yield f"{INDENT}-- {group}"
        default = {"required": "; required", "-": ""}.get(key.default, f"; default {key.default}")
        yield from _key_lines(key.name, key.values + default, key.meaning)
    yield ""


def _key_lines(name: str, values: str, meaning: str) -> Iterator[str]:
    yield from _indented(f"{name}  {values}".rstrip(), 1)
    yield from _indented(meaning, 2)


def _indented(text: str, level: int) -> list[str]:
    first, rest = INDENT * level, INDENT * (level if level > 1 else 3)
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
