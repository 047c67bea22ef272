"""Edits of a preset: the preset that results from the texts of the fields, and what is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ...engine.host.facts import Host
from ...engine.plan.pace import Pace
from ...engine.plan.preset.errors import PresetError
from ...engine.plan.preset.overrides import OVERLAY, PERCENTAGE, VARY, overridden_key
from ...engine.plan.preset.preset import Baseline
from ...engine.text.toml import toml_value
from .editor_fields import EditorField, editor_fields
from .planned_presets import NO_PACES, PlannedPreset, plan_preset

WHOLE_PRESET = ""
"""Key of errors that belong to no field."""


class EditedPreset(NamedTuple):
    """The preset as edited."""

    planned: PlannedPreset
    """Preset and plan; without a plan if there are errors."""
    errors: Mapping[str, str]
    """One sentence per invalid field, by its key or `WHOLE_PRESET`."""


def edit_preset(
    base: PlannedPreset,
    changes: Mapping[str, str],
    overrides: Sequence[str],
    host: Host,
    paces: Mapping[str, Pace] = NO_PACES,
) -> EditedPreset:
    """Return the preset with changes, texts by key, and the errors in them; `paces`: known on the host."""
    fields = {field.key: field for field in editor_fields(base.preset)} if base.preset is not None else {}
    left, errors = {key: text.strip() for key, text in changes.items() if text.strip()}, dict[str, str]()
    while True:
        made = [*_others(overrides, left), *_overrides(base, fields, left)]
        edited = plan_preset(base.file, made, host, paces)
        if edited.error is None:
            return EditedPreset(edited, errors)
        key = _field_at_fault(edited.error.key, fields, left)
        errors.setdefault(key, _sentence(edited.error, key, left.get(key, "")))
        if left.pop(key, None) is None:
            return EditedPreset(edited, errors)


# The changes as overrides


def _others(overrides: Sequence[str], changes: Mapping[str, str]) -> list[str]:
    """Return the command-line overrides that are not changed here."""
    changed = set(changes) | ({"matrix.batches"} if "workload.batch" in changes else set())

    def keys(override: str) -> set[str]:
        """Return the key that an override sets, and that of all workloads or devices which it belongs to."""
        key = overridden_key(override).removeprefix(f"{OVERLAY}.")
        return {key, re.sub(r"^(workloads\.[^.]+|matrix\.vary)\.", "workload.", key)}

    return [override for override in overrides if not keys(override) & changed]


def _overrides(
    base: PlannedPreset, fields: Mapping[str, EditorField], changes: Mapping[str, str]
) -> Iterator[str]:
    """Yield the changes in the form of `--set`, or of `--vary` for several values of one key."""
    preset = base.preset
    if preset is None:
        return
    for key, field in fields.items():
        text = changes.get(key, "")
        if not text:
            continue
        several = preset.matrix.batches or len(_words(text)) > 1
        if key == "workload.batch" and several and "matrix.batches" not in changes:
            yield f"matrix.batches={_list(text)}"
            continue
        if field.can_vary and (field.reference.name in preset.matrix.vary or len(_alternatives(text)) > 1):
            yield f"{VARY}{field.reference.name}={','.join(_alternatives(text))}"
            continue
        value = _value(field, text)
        yield f"{key}={value}"
        if field.table == "workload":
            name = field.reference.name
            yield from (f"workloads.{workload}.{name}={value}" for workload in preset.workloads)
    if preset.matrix.baseline is not None:
        yield from _baseline(preset.matrix.baseline, changes)


def _alternatives(text: str) -> list[str]:
    """Return the values of a key that are to be compared, between commas."""
    return [each.strip() for each in text.split(",") if each.strip()]


def _value(field: EditorField, text: str) -> str:
    """Return what was typed as a value in TOML."""
    match field.reference.kind:
        case "text":
            return toml_value(text)
        case "texts":
            return toml_value(_words(text))
        case "list":
            return _list(text)
    return text


def _baseline(baseline: Baseline, changes: Mapping[str, str]) -> Iterator[str]:
    """Replace a baseline that is no longer among the runs by the first possible one, unless one was typed."""
    modes = [mode for mode in _words(changes.get("matrix.modes", "")) if mode != "concurrent"]
    batches = _words(changes.get("matrix.batches", changes.get("workload.batch", "")))
    devices = [count for count in _words(changes.get("matrix.devices", "")) if count.isdigit()]
    first = {}
    if modes and baseline.mode not in modes:
        first["matrix.baseline.mode"] = modes[0]
    if batches and baseline.batch is not None and str(baseline.batch) not in batches:
        first["matrix.baseline.batch"] = batches[0]
    if devices and baseline.mode != "single" and str(baseline.devices) not in devices:
        first["matrix.baseline.devices"] = devices[0]
    for key, value in baseline.vary.items():
        values = _alternatives(changes.get(f"workload.{key}", ""))
        if values and value not in values:
            first[f"matrix.baseline.vary.{key}"] = values[0]
    yield from (f"{key}={value}" for key, value in first.items() if key not in changes)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\s,\[\]\"']+", text)


def _list(text: str) -> str:
    """Format words and numbers as a TOML list."""
    words = (word if re.fullmatch(r"[+-]?\d+(\.\d+)?", word) else json.dumps(word) for word in _words(text))
    return f"[{', '.join(words)}]"


# Errors


def _field_at_fault(key: str, fields: Mapping[str, EditorField], changes: Mapping[str, str]) -> str:
    """Return the key of the field that an error at `key` belongs to, or `WHOLE_PRESET`."""
    key = re.sub(r"\[[^]]*\]", "", key).removeprefix(f"{OVERLAY}.")
    possible = [key, re.sub(r"^(workloads\.[^.]+|matrix\.vary)\.", "workload.", key)]
    possible += ["workload.batch"] if key == "matrix.batches" else []
    # A key within a value, as in workload.arguments.depth.
    possible += [table for one in possible for table in _tables_of(one)]
    known = [one for one in possible if one in fields]
    return next((one for one in known if one in changes), next(iter(known), WHOLE_PRESET))


def _tables_of(key: str) -> Iterator[str]:
    while "." in key:
        key = key.rpartition(".")[0]
        yield key


def _sentence(error: PresetError, key: str, typed: str) -> str:
    if key == WHOLE_PRESET:
        return f"{error.key}: {error.problem}" if error.key else str(error)
    if not PERCENTAGE.fullmatch(typed):
        return error.problem
    return re.sub(
        r"a number (above|below|of) ([\d.]+)",
        lambda found: f"a percentage {found[1]} {float(found[2]) * 100:g}%",
        error.problem,
    )
