"""Trainings of one's own as a plan sees them: read, and never run."""

from __future__ import annotations

from pathlib import Path

import pytest
from gpubench_tui.engine.host.facts import Cpu, Host, Software
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.preset.preset import Preset
from gpubench_tui.engine.plan.preset.read import PresetError, read_preset
from gpubench_tui.engine.plan.preset.write import write_preset
from gpubench_tui.engine.plan.workload.workload import Workload
from msgspec.json import decode, encode

HOST = Host("server", Cpu("cpu", (0, 1), 2, 1 << 34), Software("3.11", "linux", torch="2.13.0"))
SOUND = """
raise SystemExit("run while planning")
def build_model(depth=2, *, width: int = 8): ...
def loss(model, batch): ...
"""


def preset_of(folder: Path, source: str, workload: str = "", overrides: tuple[str, ...] = ()) -> Preset:
    (folder / "own.py").write_text(source)
    text = 'title = "t"\nquestion = "q?"\n[workload]\ntraining = "own.py"\n'
    text += f'{workload}\n[matrix]\nmodes = ["single"]'
    return read_preset(text, "test.toml", overrides, folder)


def test_a_file_is_found_beside_its_preset_and_not_run(tmp_path: Path) -> None:
    preset = preset_of(tmp_path, SOUND, "arguments = { depth = 3 }")
    assert preset.workload.training == str(tmp_path / "own.py")
    assert preset.workload.arguments == {"depth": 3}
    plan = make_plan("test", preset, HOST)
    assert [spec.workload.name for spec in plan.to_run] == ["own"]


@pytest.mark.parametrize(
    ("source", "arguments", "words"),
    [
        (
            SOUND.replace("build_model", "build_modell"),
            "",
            "no function 'build_model'; did you mean build_modell?",
        ),
        ("def build_model(): ...", "", "has no function 'loss': expected def loss(model, batch)"),
        (
            SOUND.replace("(model, batch)", "(batch)"),
            "",
            "own.py:4: loss must be callable as loss(model, batch)",
        ),
        (
            SOUND + "def batches(rank): ...",
            "",
            "own.py:5: batches must be callable as batches(rank, world_size",
        ),
        (
            SOUND + "def make_optimiser(model): ...",
            "",
            "own.py:5: nothing calls make_optimiser; did you mean make",
        ),
        (SOUND + "UNIT = 3", "", "own.py:5: UNIT must be text"),
        (
            SOUND,
            "arguments = { dept = 3 }",
            "own.py:3: build_model takes depth, width; given dept = 3: got an unex",
        ),
        (SOUND.replace("=2", ""), "", "own.py:3: build_model takes depth, width; given none: missing"),
        ("def build_model(:", "", "own.py:1: SyntaxError"),
    ],
)
def test_what_a_file_lacks_is_found_before_it_runs(
    source: str, arguments: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(PresetError) as caught:
        preset_of(tmp_path, source, arguments)
    assert words in str(caught.value)
    assert caught.value.key == f"workload.{'arguments' if 'build_model takes' in words else 'training'}"


@pytest.mark.parametrize(
    "source",
    [
        "from elsewhere import *",
        "from elsewhere import build_model, loss",
        "import elsewhere\nbuild_model = elsewhere.build\nloss = elsewhere.loss",
        "try:\n    from a import build_model\nexcept ImportError:\n    def build_model(x): ...\nloss = print",
        "@decorated\ndef build_model(x): ...\ndef loss(*given): ...",
        SOUND + "def sample(batch): ...\nprint(sample)",
    ],
)
def test_what_only_its_import_can_tell_is_left_to_the_ranks(source: str, tmp_path: Path) -> None:
    preset_of(tmp_path, source)


def test_arguments_of_a_training_that_takes_none() -> None:
    with pytest.raises(PresetError, match="only a training of your own takes arguments"):
        find_preset("quickstart").read(["workload.arguments.depth=3"])
    with pytest.raises(PresetError, match="there is no training 'image': use images"):
        find_preset("quickstart").read(["workload.training=image"])


def test_single_arguments_are_overridden_named_and_kept(tmp_path: Path) -> None:
    text = "arguments = { depth = 3, width = 4 }\n[workloads.deep.arguments]\ndepth = 9\n[workloads.wide]"
    preset = preset_of(tmp_path, SOUND, text, ("workload.arguments.width=5",))
    assert preset.workload.arguments == {"depth": 3, "width": 5}
    assert preset.workloads["deep"].arguments == {"depth": 9, "width": 5}
    assert preset.workloads["wide"].arguments == {"depth": 3, "width": 5}
    assert read_preset(write_preset(preset), "written.toml", (), tmp_path) == preset


def test_workloads_with_arguments_are_compared_by_their_values() -> None:
    one, other = (
        Workload(training="a.py", arguments=table) for table in ({"a": [1], "b": 2}, {"b": 2, "a": [1]})
    )
    assert one == other and hash(one) == hash(other)
    assert one != Workload(training="a.py", arguments={"a": [1]})
    assert decode(encode(one), type=Workload) == one


def test_epochs_need_test_batches(tmp_path: Path) -> None:
    made = SOUND + "def batches(rank, world_size, batch, device): ...\n"
    for source, skipped in (
        (SOUND, False),
        (made, True),
        (made.replace("batches", "test_batches") + made, False),
    ):
        preset = preset_of(tmp_path, source, "[measure]\nepochs = 1")
        (spec,) = make_plan("test", preset, HOST).runs
        assert bool(spec.skip) is skipped
        assert not skipped or "without a function test_batches(rank" in (spec.skip or "")


def test_a_file_is_its_own_preset(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(SOUND)
    found = find_preset(str(file))
    assert found.name == "own"
    assert found.read(["workload.arguments.depth=7"]).workload.arguments == {"depth": 7}
    assert found.changes(["workload.arguments.depth=7"]) == {"workload.arguments.depth": "7"}
    with pytest.raises(PresetError, match="no such file"):
        find_preset("missing.py")
