"""The variables under test: read, expanded, matched with what each value is held against, or refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from building.recorded import host
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import Plan, RunSpec
from gpubench_tui.engine.plan.preset.errors import PresetError
from gpubench_tui.engine.plan.preset.preset import Figure
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.preset.vary import setting_text
from gpubench_tui.engine.plan.preset.write import write_preset

TEXT = """
title = "t"
question = "q"
{workload}
[matrix]
modes = ["single", "ddp"]
devices = [2]
{matrix}
"""


def plan(vary: str, *overrides: str, matrix: str = "", workload: str = "", gpus: int = 0) -> Plan:
    text = TEXT.format(matrix=matrix, workload=workload) + (f"[matrix.vary]\n{vary}\n" if vary else "")
    preset = read_preset(text, "test.toml", overrides)
    assert read_preset(write_preset(preset), "copy.toml") == preset
    return make_plan("test", preset, host(gpus))


def refused(vary: str, *overrides: str, matrix: str = "", workload: str = "") -> str:
    with pytest.raises(PresetError) as caught:
        plan(vary, *overrides, matrix=matrix, workload=workload)
    return str(caught.value)


def labels(made: Plan) -> list[str]:
    return [spec.label for spec in made.runs]


def by_label(made: Plan) -> dict[str, RunSpec]:
    return {spec.label: spec for spec in made.runs}


def test_every_combination_is_a_run_whose_names_say_its_values() -> None:
    made = plan('precision = ["fp32", "bf16"]\ncompile = [false, true]')
    ways = ["fp32, no compile", "fp32, compile", "bf16, no compile", "bf16, compile"]
    assert labels(made) == [f"{run}, {way}" for run in ("single x1", "ddp x2") for way in ways]
    last = made.runs[-1]
    assert (last.workload.precision, last.workload.compile) == ("bf16", True)
    assert last.varied == {"precision": "bf16", "compile": True}
    assert last.id == "08-ddp-2x128-cifar-resnet18-bf16-compile"
    assert len({spec.id for spec in made.runs}) == 8


def test_values_apply_to_every_workload_and_multiply_with_batches_and_repeats() -> None:
    workload = "[measure]\nrepeats = 2\n[workloads.a]\nseed = 1\n[workloads.b]\noptimizer = 'adamw'"
    made = plan('optimizer = ["sgd", "adamw"]', matrix="batches = [8, 16]", workload=workload)
    assert len(made.runs) == 2 * 2 * 2 * 2 * 2
    first = made.runs[:2]
    assert [spec.workload.optimizer for spec in first] == ["sgd", "adamw"]
    assert [spec.label for spec in first] == [
        "single x1, batch 8, a, sgd, repeat 1",
        "single x1, batch 8, a, adamw, repeat 1",
    ]
    assert made.runs[16].id == f"{made.runs[0].id.removesuffix('r1')}r2"
    # Each repeat is held against those of its own turn.
    assert made.runs[17].controls == {"optimizer": made.runs[16].id}


@pytest.mark.parametrize(
    ("modes", "vary", "baseline", "expected"),
    [
        # Where nothing else differs, values are compared with the first ones.
        ('["single"]', "compile = [false, true]", "", {"single x1, compile": "single x1, no compile"}),
        # Else devices are compared at equal values.
        ('["single", "ddp"]', "compile = [false, true]", "", {"ddp x2, compile": "single x1, compile"}),
        (
            '["single", "ddp"]',
            "compile = [false, true]",
            'baseline = { mode = "single", vary = { compile = true } }',
            {"ddp x2, no compile": "single x1, compile", "ddp x2, compile": "single x1, compile"},
        ),
        # A value that cannot be measured here is nothing to compare with.
        ('["single"]', 'precision = ["tf32", "fp32", "bf16"]', "", {"single x1, bf16": "single x1, fp32"}),
        ('["single"]', 'model = ["cnn", "lenet"]', "", {"single x1, lenet": "single x1, cnn"}),
        ('["single"]', "batch = [8, 16]", "", {"single x1, batch 16": "single x1, batch 16"}),
    ],
)
def test_what_a_run_is_compared_with(modes: str, vary: str, baseline: str, expected: dict[str, str]) -> None:
    text = TEXT.replace('["single", "ddp"]', modes).format(workload="", matrix=baseline)
    made = make_plan("t", read_preset(f"{text}[matrix.vary]\n{vary}\n", "t.toml"), host(0))
    found = by_label(made)
    assert {label: made.run(found[label].baseline or "").label for label in expected} == expected


def test_each_variable_is_held_against_its_first_value_with_all_else_equal() -> None:
    made = plan('precision = ["fp32", "bf16"]\ncompile = [false, true]')
    found = by_label(made)
    controls = {key: made.run(run).label for key, run in found["ddp x2, bf16, compile"].controls.items()}
    assert controls == {"precision": "ddp x2, fp32, compile", "compile": "ddp x2, bf16, no compile"}
    assert found["ddp x2, fp32, no compile"].controls == {}
    wanted = 'baseline = { mode = "single", vary = { precision = "bf16" } }'
    other = by_label(plan('precision = ["fp32", "bf16"]', matrix=wanted))
    assert other["ddp x2, fp32"].controls == {"precision": other["ddp x2, bf16"].id}
    # Without its first value, a variable is held against the next.
    only = 'only = [{ vary = { precision = "bf16" } }, { vary = { precision = "fp16" } }]'
    rest = by_label(plan('precision = ["fp32", "bf16", "fp16"]', matrix=only))
    assert rest["single x1, fp16"].controls == {"precision": rest["single x1, bf16"].id}


def test_parts_of_the_matrix_and_published_figures_are_selected_by_values() -> None:
    only = 'only = [{ mode = "ddp", vary = { precision = "bf16", compile = false } }]'
    made = plan('precision = ["fp32", "bf16"]\ncompile = [false, true]', matrix=only)
    assert labels(made) == ["ddp x2, bf16, no compile"]
    made = plan('precision = ["fp32", "bf16"]')
    about = Figure(vary={"precision": "bf16", "compile": False}, metric="speedup", value=2.0)
    assert [spec.label for spec in made.runs_of(about)] == ["single x1, bf16", "ddp x2, bf16"]
    assert made.runs_of(Figure(vary={"seed": 7}, metric="speedup", value=2.0)) == ()


def test_a_value_that_a_device_cannot_do_is_skipped_with_the_reason() -> None:
    made = plan('precision = ["fp32", "tf32"]')
    skipped = {spec.label: spec.skip for spec in made.runs if spec.skip}
    assert list(skipped) == ["single x1, tf32", "ddp x2, tf32"]
    assert all("tf32 needs an NVIDIA GPU" in str(reason) for reason in skipped.values())
    assert {spec.skip for spec in plan('precision = ["fp32", "tf32"]', gpus=2).runs} == {None}


def test_values_that_exclude_each_other_are_skipped_and_the_others_run() -> None:
    made = plan('data = ["synthetic", "cifar10"]\nimage_size = [32, 64]')
    skips = {spec.label: spec.skip for spec in made.runs if spec.mode == "single"}
    assert [label for label, skip in skips.items() if skip is None] == [
        "single x1, synthetic, image_size 32",
        "single x1, synthetic, image_size 64",
        "single x1, cifar10, image_size 32",
    ]
    assert "cifar10, image_size 64 cannot be combined: image_size: 64; CIFAR-10 has" in str(
        skips["single x1, cifar10, image_size 64"]
    )


def test_ids_and_labels_stay_short_and_fit_for_files_whatever_is_varied(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    (folder / "net.py").write_text("def build(classes): ...\ndef other(classes): ...\n")
    models = f'model = ["{folder}/net.py:build", "{folder}/net.py:other"]'
    made = plan(f'{models}\naugment = [[], ["flip", "crop", "rotate", "jitter"]]\nmilestones = [[1, 2], [3]]')
    for spec in made.runs:
        assert re.fullmatch(r"[\w.+-]{1,110}", spec.id), spec.id
        assert len(spec.label) < 200
    assert len({spec.label for spec in made.runs}) == len(made.runs)


def test_paths_among_the_values_start_at_the_folder_of_the_preset(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("def build(classes): ...\n")
    text = TEXT.format(workload="", matrix="") + '[matrix.vary]\nmodel = ["cnn", "net.py:build"]\n'
    preset = read_preset(text, "t.toml", folder=tmp_path)
    assert preset.matrix.vary["model"] == ("cnn", f"{tmp_path}/net.py:build")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("precision", "bf16", "bf16"),
        ("compile", True, "compile"),
        ("compile", False, "no compile"),
        ("arguments.depth", 12, "depth 12"),
        ("model", "/a/b/net.py:build", "net.py:build"),
        ("augment", ["flip", "crop"], "augment flip+crop"),
        ("augment", [], "augment none"),
        ("learning_rate", 0.1, "learning_rate 0.1"),
    ],
)
def test_a_value_in_a_few_words(key: str, value: object, said: str) -> None:
    assert setting_text(key, value) == said


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("--vary precision=fp32,bf16", {"precision": ("fp32", "bf16")}),
        ("--vary workload.precision = fp32, bf16", {"precision": ("fp32", "bf16")}),
        ("--vary compile=false,true", {"compile": (False, True)}),
        ("--vary compile=[false, true]", {"compile": (False, True)}),
        ("--vary learning_rate=1,0.5", {"learning_rate": (1.0, 0.5)}),
        ('--vary augment=[],["flip","crop"]', {"augment": ([], ["flip", "crop"])}),
        ("--vary augment=[],[flip,crop]", {"augment": ([], ["flip", "crop"])}),
        ('matrix.vary.precision=["fp32"]', {"precision": ("fp32",)}),
        ('matrix.vary={ precision = ["fp32"] }', {"precision": ("fp32",)}),
    ],
)
def test_values_from_the_command_line(override: str, values: dict[str, object]) -> None:
    assert read_preset(TEXT.format(workload="", matrix=""), "t.toml", [override]).matrix.vary == values


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("--vary precision=fp32,fp8", "'fp8' is not known here; allowed: bf16, fp16, fp32, tf32"),
        ("--vary precison=fp32,bf16", "no such key; did you mean workload.precision?"),
        ("--vary batch=8,x", "expected a whole number, got text"),
        ("--vary batch=8,0", "expected a whole number of 1 or more"),
        ("--vary seed=1,1", "1 appears twice"),
        ("--vary seed=1,99999999999999999999", "expected a whole number of at most 64 bits"),
        ("--vary precision", "expected key=a,b, as in --vary precision=fp32,bf16"),
        ("--vary precision=", "expected one or more values"),
        ("--vary name=a,b", "a name says nothing about the training"),
        ("--vary milestones=[3,2],[1]", "expected rising epochs, as in [150, 250]"),
        ("--vary model=cnn,nosuch", "nosuch"),
        ("matrix.vary.compile=[1]", "expected true or false, got a whole number"),
    ],
)
def test_what_is_wrong_with_values_names_what_was_typed(override: str, said: str) -> None:
    typed = override if override.startswith("--vary") else f"--set {override}"
    message = refused("", override)
    assert message.startswith(f"{typed}: ") and said in message
    assert message.count("matrix.vary") == typed.count("matrix.vary")


@pytest.mark.parametrize(
    ("vary", "matrix", "said"),
    [
        ('precision = ["fp8"]', "", "matrix.vary.precision: 'fp8' is not known here"),
        ('precision = "fp32"', "", "matrix.vary"),
        ("precision = []", "", "matrix.vary.precision: expected one or more values"),
        ("batch = [8]", "batches = [16]", "matrix.vary.batch: its values are in matrix.batches too"),
        (
            'precision = ["fp32"]',
            'only = [{ vary = { precision = "bf16" } }]',
            'matrix.only[0].vary.precision: "bf16" is not among matrix.vary.precision',
        ),
        (
            'precision = ["fp32"]',
            'baseline = { mode = "single", vary = { compile = true } }',
            "matrix.baseline.vary.compile: not varied; varied keys, in matrix.vary: precision",
        ),
        ("", "only = [{ vary = { compile = 3 } }]", "matrix.only[0].vary.compile: expected true or false"),
        ("seed = [1, 2, 1]", "", "matrix.vary.seed[2]: 1 appears twice"),
        (
            "\n".join(f"{key} = {list(range(1, 40))}" for key in ("seed", "images", "batch", "image_size")),
            "",
            "matrix.vary: it has too many combinations of values",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_said(vary: str, matrix: str, said: str) -> None:
    assert said in refused(vary, matrix=matrix)


def test_a_varied_key_that_is_set_as_well_is_refused() -> None:
    said = refused('precision = ["fp32", "bf16"]', "workload.precision=bf16")
    assert said.endswith("replaced by matrix.vary.precision; set matrix.vary.precision instead")


OWN = "def build_model(): ...\ndef loss(model, batch): ...\n"
BATCHES = OWN + "def batches(rank, world_size, batch, device): ...\n"
TOKENS = '[workload]\ntraining = "tokens"\nmodel = "gpt-tiny"\nsequence_length = 64'


@pytest.mark.parametrize(
    ("workload", "vary", "idle"),
    [
        (TOKENS, "image_size = [32, 64]", True),
        (TOKENS, 'compile_mode = ["default", "max-autotune"]', True),
        (TOKENS, 'compile_mode = ["default", "max-autotune"]\ncompile = [false, true]', False),
        (TOKENS, "reshard_after_forward = [false, true]", True),
        (TOKENS, "bucket_mb = [1, 25]", False),
        ("", "vocabulary = [256, 300]", True),
        ("", "bucket_mb = [25]", False),
        ('[workload]\ntraining = "own.py"', 'model = ["lenet", "cnn"]', True),
        ('[workload]\ntraining = "own.py"', "images = [1000, 2000]", False),
        ('[workload]\ntraining = "batches.py"', "images = [1000, 2000]", True),
        ('[workload]\ntraining = "batches.py"', 'augment = [[], ["flip"]]', True),
        ('[workload]\ntraining = "batches.py"\n[workloads.a]\n[workloads.b]\ntraining = "own.py"',
         "images = [1000, 2000]", False),
    ],
)  # fmt: skip
def test_a_variable_that_changes_nothing_in_any_run_is_refused(
    workload: str, vary: str, idle: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    Path("batches.py").write_text(BATCHES)
    if idle:
        key = vary.partition(" ")[0]
        assert f"matrix.vary.{key}: it changes nothing in any of the runs" in refused(vary, workload=workload)
    else:
        assert plan(vary, workload=workload).runs


def test_an_empty_folder_of_data_is_not_the_presets_own() -> None:
    assert "workload.data_dir: empty; expected a path" in refused("", workload='[workload]\ndata_dir = " "')


@pytest.mark.parametrize("value", ["nan", "-inf", "2020-01-01", "[1, nan]", "{ a = [{ b = inf }] }"])
def test_arguments_that_no_record_can_hold_are_refused(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text("def build_model(**arguments): ...\ndef loss(model, batch): ...\n")
    workload = '[workload]\ntraining = "own.py"'
    given = refused("", workload=f"{workload}\narguments = {{ x = {value} }}")
    assert "workload.arguments: " in given and "expected text, a finite number" in given
    varied = refused(f'"arguments.x" = [1.5, {value}]', workload=workload)
    assert "matrix.vary.arguments.x[1]: " in varied and "expected text, a finite number" in varied
