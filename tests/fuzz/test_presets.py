"""A preset file may say anything: it is read, or refused in a sentence."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomli_w
from building.recorded import host
from gpubench_tui.engine.host.facts import Host
from gpubench_tui.engine.plan.estimate import estimate
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.preset.errors import PresetError
from gpubench_tui.engine.plan.preset.library import PresetFile
from gpubench_tui.engine.plan.preset.preset import Matrix, Measure, Preset
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.preset.write import write_preset
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session_folder import Request
from gpubench_tui.engine.text.encoding import decode_json, encode_json
from gpubench_tui.tui.render.planned_preset import plan_text
from hypothesis import strategies as st

from .hostile import toml_texts, toml_values
from .rounds import fuzz

pytestmark = pytest.mark.slow

HOSTS = (host(0), host(3), host(0, cores=7))
SHIPPED = tuple(
    path.read_bytes() for path in files("gpubench_tui.presets").iterdir() if path.name.endswith(".toml")
)
SENTENCE = 1200
"""Characters of a sentence at most."""
GOOD: dict[str, Any] = {"title": "t", "question": "q", "matrix": {"modes": ["single", "ddp"]}}


def keys_of(kind: type[msgspec.Struct]) -> st.SearchStrategy[str]:
    return st.sampled_from([field.encode_name for field in msgspec.structs.fields(kind)]) | toml_texts


def section(kind: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, Any]]:
    """A table of such a struct with odd values, or with good ones of another key."""
    good = st.sampled_from(
        (1, 8, 64, 0.5, True, "single", "cnn", ["single"], [1, 2], [8, 8], ["ddp", "fsdp"])
    )
    return st.dictionaries(keys_of(kind), good | toml_values, max_size=4)


choices = st.sampled_from(
    (["fp32", "bf16"], [False, True], [1, 2], [0.5, 1], [["flip"], []], ["cnn", "lenet"], "fp32", [])
)
varied = st.dictionaries(
    keys_of(Workload) | st.sampled_from(("arguments.depth", "precision", "workload.seed")),
    choices | toml_values,
    max_size=3,
)
"""Keys under test with odd values, or with good ones of another key."""
matrices = st.builds(
    lambda matrix, more: {**matrix, **more},
    section(Matrix),
    st.fixed_dictionaries(
        {}, optional={"vary": varied, "only": st.lists(st.fixed_dictionaries({"vary": varied}))}
    ),
)
tables = st.fixed_dictionaries(
    {},
    optional={
        "workload": section(Workload),
        "workloads": st.dictionaries(toml_texts, section(Workload), max_size=3),
        "measure": section(Measure),
        "matrix": matrices,
        "without_gpus": st.fixed_dictionaries(
            {},
            optional={
                "workload": section(Workload),
                "workloads": st.dictionaries(toml_texts, section(Workload), max_size=2),
                "measure": section(Measure),
                "matrix": matrices,
            },
        ),
        "published": st.lists(section(Preset), max_size=2),
    },
)
overrides = st.lists(
    st.builds(
        lambda key, values: f"--vary {key}={values}",
        keys_of(Workload),
        st.sampled_from(("1,2", "fp32,bf16", "true,false", "[],[flip]", "a,,b", "[[", '",', "9" * 50))
        | toml_texts,
    )
    | st.builds(
        lambda table, key, value: f"{table}.{key}={value}",
        st.sampled_from(
            ("workload", "measure", "matrix", "without_gpus.measure", "matrix.vary", "workloads.a")
        )
        | toml_texts,
        keys_of(Workload) | keys_of(Measure),
        st.sampled_from(("1", "1e400", "[1, 2]", "nan", "[[", '"', "true", "9" * 5000)) | toml_texts,
    ),
    max_size=2,
)


def check_preset(content: bytes, machine: Host, changes: Sequence[str] = ()) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = PresetFile("odd", Path(folder, "odd.toml"), own=True)
        file.path.write_bytes(content)
        try:
            preset = file.read(changes)
            plan = make_plan(file.name, preset, machine, file.changes(changes))
        except PresetError as error:
            assert 0 < len(str(error)) < SENTENCE
            return
    assert read_preset(write_preset(preset), "again") == preset
    estimate(plan)
    assert plan_text(plan, 80).plain
    assert decode_json(encode_json(Request(plan, machine)), Request).plan.runs == plan.runs


@fuzz(100, content=st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_are_a_preset_or_refused(content: bytes) -> None:
    check_preset(content, HOSTS[0])


@fuzz(
    150,
    table=tables,
    more=st.dictionaries(keys_of(Preset), toml_values, max_size=2),
    machine=st.sampled_from(HOSTS),
)
def test_any_tables_are_a_preset_or_refused(
    table: dict[str, Any], more: dict[str, Any], machine: Host
) -> None:
    merged = {
        key: {**GOOD.get(key, {}), **part} if isinstance(part, dict) else part for key, part in table.items()
    }
    check_preset(tomli_w.dumps(GOOD | merged | more).encode(), machine)


@fuzz(
    150,
    text=st.sampled_from(SHIPPED),
    start=st.integers(0, 4000),
    length=st.integers(0, 80),
    piece=st.binary(max_size=8)
    | st.sampled_from((b"=", b"[", b"]\n", b'"""', b"-", b"9" * 30, b"\r", b"nan")),
    changes=overrides,
    machine=st.sampled_from(HOSTS),
)
def test_any_edit_of_a_preset_is_one_or_refused(
    text: bytes, start: int, length: int, piece: bytes, changes: list[str], machine: Host
) -> None:
    check_preset(text[:start] + piece + text[start + length :], machine, changes)
