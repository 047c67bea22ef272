"""The reference of a preset's keys agrees with what the declaration accepts."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from gpubench_tui.engine.plan.preset import preset
from gpubench_tui.engine.plan.preset.errors import PresetError
from gpubench_tui.engine.plan.preset.other_names import OTHER_NAMES
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.preset.reference import KeyReference, preset_reference, settable_keys
from gpubench_tui.engine.plan.workload import workload

STRUCTS = {
    "": preset.Preset,
    "[workload]": workload.Workload,
    "[measure]": preset.Measure,
    "[matrix]": preset.Matrix,
    "[[matrix.only]]": preset.Selection,
    "[matrix.baseline]": preset.Baseline,
    "[without_gpus]": preset.WithoutGpus,
    "[[published]]": preset.Published,
    "[[published.figures]]": preset.Figure,
}
PRESET = 'title = "x"\nquestion = "y"\n[matrix]\nmodes = ["single"]\n'


def keys() -> Iterator[tuple[str, KeyReference]]:
    for table in preset_reference():
        yield from ((table.path, key) for key in table.keys)


def key_of(path: str, name: str) -> KeyReference:
    (found,) = (key for table, key in keys() if table == path and key.name == name)
    return found


def test_names_from_elsewhere_are_those_of_keys_here_and_no_keys_themselves() -> None:
    known = {key.name for _, key in keys()}
    assert set(OTHER_NAMES.values()) <= known
    assert not known & set(OTHER_NAMES) - {"mode"}, "matrix.baseline.mode is a key"


def test_every_key_that_can_be_set_can_be(tmp_path: Path) -> None:
    samples = {"string": "x", "true, false": "true"}
    for name, key in settable_keys().items():
        first = key.words[0] if key.words else samples.get(key.values, "3")
        value = f"[{first}]" if key.values.startswith("list") else first
        try:
            read_preset(PRESET, "x.toml", [f"{name}={value}"], tmp_path)
        except PresetError as error:  # of the right type, if of a value that does not fit the rest
            assert "no such key" not in str(error)


def test_every_table_and_key_of_the_declaration_is_there_once() -> None:
    named = [(path, key.name) for path, key in keys()]
    declared = [(path, field) for path, struct in STRUCTS.items() for field in struct.__struct_fields__]
    assert sorted(named) == sorted(declared)


@pytest.mark.parametrize(("path", "key"), list(keys()), ids=lambda each: getattr(each, "name", each))
def test_every_key_has_a_meaning_in_one_line(path: str, key: KeyReference) -> None:
    assert key.meaning.endswith(".") and "\n" not in key.meaning
    assert not key.meaning.startswith(("What ", "Those ", "Who ", "How ", "It "))


@pytest.mark.parametrize(("path", "key"), list(keys()), ids=lambda each: getattr(each, "name", each))
def test_a_default_is_the_one_that_an_absent_key_has(path: str, key: KeyReference) -> None:
    if key.default in ("required", "-"):
        return
    (declared,) = (field.default for field in msgspec.structs.fields(STRUCTS[path]) if field.name == key.name)
    stated = tomllib.loads(f"default = {key.default}")["default"]
    assert stated == msgspec.json.decode(msgspec.json.encode(declared))


@pytest.mark.parametrize(
    ("path", "name", "values", "default"),
    [
        ("", "title", "text", "required"),
        ("", "published", "array of tables", "[]"),
        ("[workload]", "precision", '"fp32", "tf32", "fp16", "bf16"', '"fp32"'),
        ("[workload]", "learning_rate_batch", "whole number from 1", "-"),
        ("[workload]", "augment", 'list of any of "flip", "crop", "rotate", "jitter"', "[]"),
        ("[workload]", "milestones", "list of whole numbers from 1", "[]"),
        ("[matrix]", "workloads", "list of texts", "[]"),
        ("[workload]", "compile", "true, false", "false"),
        ("[measure]", "target", "number from 0 below 1", "0.01"),
        ("[measure]", "seconds", "number above 0", "30.0"),
        ("[matrix]", "devices", 'list of whole numbers from 1, or "all"', "[1]"),
        ("[[published.figures]]", "value", "number from 0", "required"),
    ],
)
def test_values_and_defaults_in_words(path: str, name: str, values: str, default: str) -> None:
    assert key_of(path, name)[1:3] == (values, default)


@pytest.mark.parametrize(
    ("path", "key"),
    [(path, key) for path, key in keys() if path in ("[workload]", "[measure]")],
    ids=lambda each: getattr(each, "name", each),
)
def test_a_value_that_is_not_listed_is_refused(path: str, key: KeyReference) -> None:
    if key.values == "text":
        wrong = "1"
    elif key.values.startswith("list of"):
        wrong = '["none of these"]'
    else:
        wrong = '"none of these"'
    with pytest.raises(PresetError, match=key.name):
        read_preset(f"{PRESET}{path}\n{key.name} = {wrong}", "x.toml")
