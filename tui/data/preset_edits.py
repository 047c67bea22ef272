"""The fields of the preset editor, and the preset that results from them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from ...engine.host.facts import Host
from ...engine.plan.preset import Baseline, Preset
from ...engine.plan.read import PresetError
from .planned_presets import PlannedPreset, plan_preset

WHOLE_PRESET = ""
"""Key of errors that belong to no field."""


class EditorField(NamedTuple):
    """One field of the editor."""

    key: str
    """Key in the preset."""
    label: str
    kind: Literal["number", "word", "list"]
    hint: str
    """Allowed values, shown beside the field."""
    words: tuple[str, ...] = ()
    """Allowed words; empty if others are allowed."""


FIELDS = (
    EditorField("matrix.modes", "modes", "list", "single, dp, ddp, fsdp, concurrent"),
    EditorField("matrix.devices", "devices", "list", "how many: 1, 2, 4 or all"),
    EditorField("workload.batch", "batch", "list", "one or more: 32, 128"),
    EditorField("workload.batch_scope", "batch is per", "word", "device, global", ("device", "global")),
    EditorField(
        "workload.precision", "precision", "word", "fp32, tf32, fp16, bf16", ("fp32", "tf32", "fp16", "bf16")
    ),
    EditorField(
        "workload.data", "data", "word", "synthetic, cifar10, folder", ("synthetic", "cifar10", "folder")
    ),
    EditorField("workload.data_dir", "data folder", "word", "for cifar10, or with train/ and test/"),
    EditorField("workload.placement", "placement", "word", "device, loader", ("device", "loader")),
    EditorField("measure.seconds", "seconds", "number", "per run, at most"),
    EditorField("measure.target", "target", "number", "precision goal; 0%: none"),
    EditorField("measure.epochs", "epochs", "number", "0: measure by time instead"),
    EditorField("measure.repeats", "repeats", "number", "of each run, interleaved"),
)


class EditedPreset(NamedTuple):
    """The preset as edited."""

    planned: PlannedPreset
    """Preset and plan; without a plan if there are errors."""
    errors: Mapping[str, str]
    """One sentence per invalid field, by its key or `WHOLE_PRESET`."""


def field_values(preset: Preset, field: EditorField) -> list[str]:
    """Return the preset's value as typed; several if its workloads differ, none if it is not set."""
    table, _, name = field.key.partition(".")
    if field.key == "workload.batch" and preset.matrix.batches:
        return [_typed(preset.matrix.batches)]
    if table != "workload":
        value = getattr(getattr(preset, table), name)
        return [f"{value * 100:g}%" if field.key == "measure.target" else _typed(value)]
    found = (getattr(workload, name) for workload in preset.used_workloads.values())
    return list(dict.fromkeys(_typed(value) for value in found if value is not None))


def _typed(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def edit_preset(
    base: PlannedPreset, changes: Mapping[str, str], overrides: Sequence[str], host: Host
) -> EditedPreset:
    """Return the preset with changes, texts by key, and the errors in them."""
    left, errors = dict(changes), dict[str, str]()
    while True:
        edited = plan_preset(base.file, [*_others(overrides, left), *_overrides(base, left)], host)
        if edited.error is None:
            return EditedPreset(edited, errors)
        key, sentence = _field_error(edited.error)
        errors.setdefault(key, sentence)
        if left.pop(key, None) is None:
            return EditedPreset(edited, errors)


def _others(overrides: Sequence[str], changes: Mapping[str, str]) -> list[str]:
    """Return the command-line overrides that are not changed here."""
    changed = set(changes) | ({"matrix.batches"} if "workload.batch" in changes else set())

    def key(override: str) -> str:
        """Return the key of the field that an override sets, for one workload or GPUs alone included."""
        return re.sub(r"^(gpu\.workload|workloads\.[^.]+)\.", "workload.", override.partition("=")[0].strip())

    return [override for override in overrides if key(override) not in changed]


def _overrides(base: PlannedPreset, changes: Mapping[str, str]) -> Iterator[str]:
    """Yield the changes in the form of `--set`."""
    preset = base.preset
    if preset is None:
        return
    for field in FIELDS:
        text = changes.get(field.key, "").strip()
        if not text:
            continue
        table, _, name = field.key.partition(".")
        if field.key == "workload.batch" and (preset.matrix.batches or len(_words(text)) > 1):
            yield f"matrix.batches={_list(text)}"
        elif table == "workload":
            value = json.dumps(text) if field.kind == "word" else text
            yield f"{field.key}={value}"
            yield from (f"workloads.{workload}.{name}={value}" for workload in preset.workloads)
        elif field.kind == "list":
            yield f"{field.key}={_list(text)}"
        else:
            yield f"{field.key}={_share(text)}"
    if preset.matrix.baseline is not None:
        yield from _baseline(preset.matrix.baseline, changes)


def _baseline(baseline: Baseline, changes: Mapping[str, str]) -> Iterator[str]:
    """Replace a baseline that is no longer among the runs by the first possible one."""
    modes = [mode for mode in _words(changes.get("matrix.modes", "")) if mode != "concurrent"]
    batches = _words(changes.get("workload.batch", ""))
    devices = [count for count in _words(changes.get("matrix.devices", "")) if count.isdigit()]
    if modes and baseline.mode not in modes:
        yield f"matrix.baseline.mode={modes[0]}"
    if batches and baseline.batch is not None and str(baseline.batch) not in batches:
        yield f"matrix.baseline.batch={batches[0]}"
    if devices and baseline.mode != "single" and str(baseline.devices) not in devices:
        yield f"matrix.baseline.devices={devices[0]}"


def _words(text: str) -> list[str]:
    return re.findall(r"[^\s,\[\]\"']+", text)


def _list(text: str) -> str:
    """Format words and numbers as a TOML list."""
    words = (word if re.fullmatch(r"[+-]?\d+(\.\d+)?", word) else json.dumps(word) for word in _words(text))
    return f"[{', '.join(words)}]"


def _share(text: str) -> str:
    """Convert `1%` to 0.01."""
    number = re.fullmatch(r"([\d.]+)\s*%", text)
    try:
        return repr(float(number[1]) / 100) if number else text
    except ValueError:
        return text


def _field_error(error: PresetError) -> tuple[str, str]:
    """Return the key of the field that an error refers to, or `WHOLE_PRESET`, and the sentence to show."""
    key = re.sub(r"\[[^]]*\]", "", error.key)
    key = re.sub(r"^workloads\.[^.]+", "workload", key)
    key = {"matrix.batches": "workload.batch"}.get(key, key)
    if any(field.key == key for field in FIELDS):
        return key, error.problem
    return WHOLE_PRESET, f"{error.key}: {error.problem}" if error.key else str(error)
