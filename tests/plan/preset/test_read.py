from pathlib import Path

import pytest
from gpubench_tui.engine.plan.preset.errors import PresetError
from gpubench_tui.engine.plan.preset.library import all_presets, find_preset
from gpubench_tui.engine.plan.preset.preset import Preset
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.preset.write import write_preset

MATRIX = """
title = "Mine"
question = "Why?"

[matrix]
"""
MINIMAL = MATRIX + 'modes = ["single"]\n'
PUBLISHED = MINIMAL + '[[published]]\nsource = "A"\nhardware = "B"\nfigures = ['


def read(text: str, *overrides: str) -> Preset:
    return read_preset(text, "mine.toml", overrides)


def problem(text: str, *overrides: str) -> str:
    with pytest.raises(PresetError) as caught:
        read(text, *overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_preset_that_comes_with_the_program_is_valid() -> None:
    presets = all_presets()
    assert presets[0].name == "quickstart"
    for preset in presets:
        preset.read()


def test_named_workloads_inherit_the_defaults() -> None:
    preset = read(MINIMAL + '[workload]\nbatch = 7\n[workloads.a]\nmodel = "cnn"\n[workloads.b]\nbatch = 9\n')
    assert (preset.workloads["a"].batch, preset.workloads["a"].name) == (7, "a")
    assert (preset.workloads["b"].batch, preset.workloads["b"].model) == (9, "cifar-resnet18")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("workload.batch=64", 64),
        ("workload.batch = 64", 64),
    ],
)
def test_set_overrides_numbers(override: str, expected: int) -> None:
    assert read(MINIMAL, override).workload.batch == expected


def test_set_takes_words_without_quotes_and_lists() -> None:
    preset = read(MINIMAL, "workload.model=cnn", "workload.augment=['flip']", "matrix.devices=[1, 'all']")
    assert preset.workload.model == "cnn"
    assert preset.workload.augment == ("flip",)
    assert preset.matrix.devices == (1, "all")


def test_paths_are_meant_from_the_presets_folder_or_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "presets").mkdir()
    file = tmp_path / "presets" / "mine.toml"
    file.write_text(MINIMAL + '[workload]\ndata = "folder"\ndata_dir = "images"\n')
    monkeypatch.chdir(tmp_path)
    assert find_preset(str(file)).read().workload.data_dir == str(tmp_path / "presets" / "images")
    overridden = find_preset(str(file)).read(["workload.data_dir=here"])
    assert overridden.workload.data_dir == str(tmp_path / "here")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("title = ", ["mine.toml", "not valid TOML"]),
        ('title = "x"\n', ["mine.toml: question: missing"]),
        (
            MINIMAL + "[workload]\nbath = 3\n",
            ["mine.toml: workload.bath: no such key; did you mean workload.batch?"],
        ),
        (MINIMAL + "batch = 3\n", ["mine.toml: matrix.batch: no such key; did you mean matrix.batches?"]),
        ("batch = 3\n" + MINIMAL, ["mine.toml: batch: no such key; did you mean workload.batch?"]),
        (
            MINIMAL + "[workload]\nsecond = 3\n",
            ["workload.second: no such key; did you mean measure.seconds?"],
        ),
        (
            MINIMAL + "[workload]\nlr = 3\n",
            ["mine.toml: workload.lr: no such key; did you mean workload.learning_rate?"],
        ),
        (
            MINIMAL + "[workload]\nprec = 3\n",
            ["mine.toml: workload.prec: no such key; did you mean workload.precision?"],
        ),
        ("num-gpus = 3\n" + MINIMAL, ["mine.toml: num-gpus: no such key; did you mean matrix.devices?"]),
        (MINIMAL + "[measure]\nzzz = 3\n", ["measure.zzz: no such key; allowed here: epochs, "]),
        (MINIMAL + "[wokload]\nbatch = 3\n", ["mine.toml: wokload: no such key; did you mean workload?"]),
        (
            MINIMAL + '[workload]\nbatch = "3"\n',
            ["mine.toml: workload.batch: expected a whole number, got text"],
        ),
        (
            MINIMAL + "[workload]\nbatch = 0\n",
            ["mine.toml: workload.batch: expected a whole number of 1 or more"],
        ),
        (MINIMAL + '[workload]\nprecision = "fp8"\n', ["workload.precision", "bf16, fp16, fp32, tf32"]),
        (
            MINIMAL + "[workloads.cnn]\nmodel = 3\n",
            ["mine.toml: workloads.cnn.model: expected text, got a whole number"],
        ),
        (MINIMAL + "[workloads]\ncnn = 3\n", ["mine.toml: workloads.cnn: expected a table"]),
        (MINIMAL + "[workload]\nbatch = 1.5\n", ["workload.batch: expected a whole number, got a fraction"]),
        (MINIMAL + "[workload]\ncompile = 1\n", ["workload.compile: expected true or false"]),
        (MINIMAL + "devices = 2\n", ["matrix.devices: expected a list, got a whole number"]),
        (MINIMAL + "[measure]\ntarget = 1.5\n", ["mine.toml: measure.target: expected a number below 1"]),
        (MINIMAL + 'devices = ["some"]\n', ["matrix.devices[0]", "all, or a whole number"]),
        (MINIMAL + 'workloads = ["cnn"]\n', ["matrix.workloads: no workload 'cnn'"]),
        (MINIMAL + 'baseline = { mode = "ddp" }\n', ["matrix.baseline.mode", "not among matrix.modes"]),
        (MINIMAL + 'baseline = { mode = "single", devices = 2 }\n', ["matrix.baseline.devices: expected 1"]),
        (
            MATRIX + 'modes = ["concurrent", "ddp"]\nbaseline = { mode = "concurrent", devices = 2 }\n',
            ["matrix.baseline.mode", "cannot be a baseline"],
        ),
        (MATRIX + 'modes = ["dp"]\nbaseline = { mode = "dp" }\n', ["matrix.baseline.devices: expected 2"]),
        (
            MINIMAL + "[measure]\nseconds = inf\n",
            ["measure.seconds: expected a number of 1000000000 at most"],
        ),
        (
            MINIMAL + "[workload]\nlearning_rate = nan\n",
            ["workload.learning_rate: expected a number above 0"],
        ),
        (MINIMAL + '[workload]\ndata = "folder"\n', ["workload.data_dir: missing"]),
        (MINIMAL + 'only = [{ workload = "cnn" }]\n', ["matrix.only[0].workload: no workload 'cnn'"]),
        (
            MINIMAL + 'baseline = { mode = "single", workload = "cnn" }\n',
            ["matrix.baseline.workload: no workload 'cnn'"],
        ),
        (MINIMAL + '[[published]]\nsource = "A"\n', ["mine.toml: published[0].hardware: missing"]),
        (
            PUBLISHED + '{ metric = "speed", value = 1 }]\n',
            ["published[0].figures[0].metric", "efficiency, epoch_seconds"],
        ),
        (
            PUBLISHED + '{ metrics = "loss" }]\n',
            ["published[0].figures[0].metrics: no such key; did you mean published[0].figures[0].metric?"],
        ),
        (PUBLISHED + "]\n", ["published[0].figures: expected a list with 1 or more entries"]),
        (MINIMAL + "[workload]\nmilestones = [3, 2]\n", ["workload.milestones"]),
        (MINIMAL + '[workload]\nmodel = "none.py:build"\n', ["workload.model: no file", "none.py"]),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text: str, parts: list[str]) -> None:
    message = problem(text)
    for part in parts:
        assert part in message


@pytest.mark.parametrize("override", ["workload.batch", "=3", "a b=3"])
def test_an_override_needs_a_key_and_a_value(override: str) -> None:
    assert "expected key=value" in problem(MINIMAL, override)


def test_an_override_that_is_too_large_is_not_taken_for_a_word() -> None:
    assert "at most 64 bits" in problem(MINIMAL, "workload.seed=99999999999999999999")
    assert "at most 64 bits" in problem(MINIMAL, "workload.seed = -99999999999999999999")
    assert read(MINIMAL, "workload.seed=-3").workload.seed == -3


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("matrix.modes=ddp", ("ddp",)),
        ("matrix.modes = single , fsdp", ("single", "fsdp")),
        ("matrix.modes=[single, fsdp]", ("single", "fsdp")),
        ("matrix.devices=all", ("all",)),
        ("matrix.devices=2,all", (2, "all")),
        ("matrix.batches=64", (64,)),
        ("matrix.workloads=a", ("a",)),
        ("workload.augment=flip", ("flip",)),
        ("workload.augment=", ()),
        ("workload.milestones=150", (150,)),
        ("without_gpus.matrix.devices=2", [2]),
        ("matrix.vary.seed=3", (3,)),
    ],
)
def test_one_value_of_a_list_is_a_list_of_one(override: str, value: object) -> None:
    preset = read(MINIMAL + "[workloads.a]\n[workloads.b]\nmodel = 'lenet'\n", override)
    found: object = preset
    for part in override.partition("=")[0].strip().split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert found == value


def test_an_unknown_value_of_a_list_is_named_with_those_allowed() -> None:
    said = problem(MINIMAL, "matrix.modes=dpp")
    assert said.startswith("--set matrix.modes=dpp: ") and "'dpp' is not known here; allowed: " in said


def test_an_override_without_effect_is_refused() -> None:
    for key in ("workload.batch", "workload.batch ", "without_gpus.workload.batch", "workloads.a.batch"):
        said = problem(MINIMAL + "batches = [1, 2]\n", f"{key}=3")
        assert said.startswith(f"--set {key}=3: ")
        assert said.endswith(": replaced by matrix.batches; set matrix.batches instead")


def test_an_override_that_every_named_workload_replaces_is_refused() -> None:
    text = (
        MINIMAL
        + '[workload]\nbatch = 7\n[workloads.a]\nmodel = "cnn"\n[workloads.b]\nmodel = "lenet"\nseed = 1\n'
    )
    said = problem(text, "workload.model=vit-tiny")
    assert (
        "workload.model=vit-tiny: replaced in every named workload; set workloads.a.model, workloads.b.model"
        in said
    )
    assert read(text, "workload.seed=5").workloads["a"].seed == 5
    assert read(text, "workloads.a.model=vit-tiny").workloads["a"].model == "vit-tiny"
    assert "no workload 'c'" in problem(text, "matrix.workloads=['c']", "workload.model=lenet")
    assert "set workloads.b.seed instead" in problem(text, "matrix.workloads=['b']", "workload.seed=5")


def test_an_override_takes_a_percentage_as_the_editor_does() -> None:
    assert read(MINIMAL, "measure.target=2.5%").measure.target == 0.025
    assert read(MINIMAL, "measure.target= .5 %").measure.target == 0.005
    assert "expected a number below 1" in problem(MINIMAL, "measure.target=500%")
    assert "expected a number, got text" in problem(MINIMAL, "measure.target=1..2%")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["batch=64"], "--set batch=64: no such key; did you mean workload.batch?"),
        (["wokload.batch=64"], "--set wokload.batch=64: wokload: no such key; did you mean workload?"),
        (["workload.batch=0"], "--set workload.batch=0: expected a whole number of 1 or more"),
        (["measure.seconds=1", "measure.target=5"], "--set measure.target=5: expected a number below 1"),
        (
            ["workload.seed=1", "without_gpus.workload.batch=x"],
            "--set without_gpus.workload.batch=x: expected a whole number, got text",
        ),
        (["workload=3"], "with --set workload=3: workload and workloads must be tables"),
        (
            ["workload.data=folder", "workload.seed=1"],
            "with --set workload.data=folder --set workload.seed=1: workload.data_dir: missing; ",
        ),
    ],
)
def test_an_error_of_an_override_names_it_and_not_the_file(overrides: list[str], said: str) -> None:
    assert problem(MINIMAL, *overrides).startswith(said)


def test_an_error_of_the_file_names_it_whatever_is_overridden() -> None:
    text = MINIMAL + "[workload]\nbatch = 0\n"
    assert problem(text, "workload.seed=1").startswith("mine.toml: workload.batch: ")
    text = text.replace("[work", "[workloads.a]\nmodel = 3\n[work")
    assert problem(text, "workload.seed=1").startswith("mine.toml: ")


def test_a_preset_may_begin_with_a_byte_order_mark() -> None:
    assert read("\ufeff" + MINIMAL).title == "Mine"


def test_more_repeats_than_a_plan_can_hold_are_refused() -> None:
    assert "--set measure.repeats=1001: expected a whole number of 1000 at most" in problem(
        MINIMAL, "measure.repeats=1001"
    )


SMALLER = (
    MINIMAL
    + "batches = [8, 16]\n[workload]\nseed = 1\n[without_gpus.workload]\nseed = 2\nprecision = 'bf16'\n"
    + "[without_gpus.measure]\nwindows = 9\n[without_gpus.matrix]\nbatches = [4]\n"
)


def test_the_reduced_form_replaces_keys_and_leaves_all_others() -> None:
    preset = read(SMALLER)
    assert (preset.workload.seed, preset.workload.precision, preset.measure.windows) == (1, "fp32", 5)
    reduced = preset.reduced()
    assert (reduced.workload.seed, reduced.workload.precision, reduced.measure.windows) == (2, "bf16", 9)
    assert (preset.matrix.batches, reduced.matrix.batches) == ((8, 16), (4,))
    assert reduced.matrix.modes == ("single",)
    assert read(write_preset(preset)) == preset
    assert not reduced.has_reduced_form and preset.has_reduced_form and not read(MINIMAL).has_reduced_form


def test_a_named_workload_has_a_reduced_form_of_its_own_laid_over_that_of_all() -> None:
    named = "[workloads.a]\nseed = 9\n[workloads.b]\n[without_gpus.workloads.b]\nprecision = 'fp16'\n"
    preset = read(SMALLER + named)
    reduced = {name: (each.seed, each.precision) for name, each in preset.reduced().workloads.items()}
    assert reduced == {"a": (9, "bf16"), "b": (2, "fp16")}
    assert read(write_preset(preset)) == preset


@pytest.mark.parametrize(
    ("override", "full", "reduced"),
    [
        ("workload.seed=3", (3, "fp32", (8, 16)), (3, "bf16", (4,))),
        ("without_gpus.workload.seed=3", (1, "fp32", (8, 16)), (3, "bf16", (4,))),
        ("matrix.batches=[2]", (1, "fp32", (2,)), (2, "bf16", (2,))),
        ("--vary batch=2,3", (1, "fp32", (2, 3)), (2, "bf16", (2, 3))),
    ],
)
def test_what_is_set_counts_with_and_without_gpus(
    override: str, full: tuple[object, ...], reduced: tuple[object, ...]
) -> None:
    def main_values(preset: Preset) -> tuple[object, ...]:
        return preset.workload.seed, preset.workload.precision, preset.matrix.batches

    preset = read(SMALLER, override)
    assert (main_values(preset), main_values(preset.reduced())) == (full, reduced)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("workload]\nbatc = 3", "workload.batc: no such key; did you mean without_gpus.workload.batch?"),
        ("workload]\nbatch = 0", "workload.batch: expected a whole number of 1 or more"),
        ("workload]\nprecision = 'fp8'", "workload.precision: 'fp8' is not known here; allowed: "),
        ("workload]\nmilestones = [3, 2]", "workload.milestones: expected rising epochs"),
        ("workloads.x]\nbatch = 3", "workloads.x: no workload 'x'; choose from: none"),
        ("measure]\nseconds = 'x'", "measure.seconds: expected a number"),
        ("matrix]\ndevices = [0]", "matrix.devices[0]: expected"),
        ("matrix]\nbaseline = { mode = 'ddp' }", "matrix.baseline.mode: 'ddp' is not among matrix.modes"),
        ("matrix.vary]\nprecision = ['fp8']", "matrix.vary.precision: 'fp8' is not known here"),
        ("presets]\nbatch = 3", "presets: no such key"),
    ],
)
def test_what_is_wrong_with_the_reduced_form_is_said(lines: str, said: str) -> None:
    assert problem(MINIMAL + f"[without_gpus.{lines}\n").startswith(f"mine.toml: without_gpus.{said}")


def test_a_preset_with_keys_for_gpus_is_told_how_to_write_them() -> None:
    said = problem(MINIMAL + "[gpu.workload]\nbatch = 64\n")
    assert said.startswith("mine.toml: gpu: no longer a table: what it says belongs in [workload]")
    assert "[without_gpus.workload]" in said
    assert problem(MINIMAL, "gpu.workload.batch=8").startswith("--set gpu.workload.batch=8: gpu: no longer")
    # Files that the program wrote name those tables even where they are empty.
    assert read(MINIMAL + "[gpu.workload]\n[gpu.measure]\n") == read(MINIMAL)


def test_an_error_names_file_key_and_problem_apart() -> None:
    with pytest.raises(PresetError) as caught:
        read(MINIMAL + "[workload]\nbatch = 0\n")
    error = caught.value
    assert (error.file, error.key) == ("mine.toml", "workload.batch")
    assert error.problem.startswith("expected a whole number")
    assert str(error) == f"mine.toml: workload.batch: {error.problem}"


def test_presets_are_found_by_name_prefix_and_path(tmp_path: Path) -> None:
    assert find_preset("quickstart").name == "quickstart"
    assert find_preset("quick").name == "quickstart"
    with pytest.raises(PresetError, match="matches several presets"):
        find_preset("s")
    with pytest.raises(PresetError, match="no such preset; choose from: quickstart"):
        find_preset("nothing")
    with pytest.raises(PresetError, match="no such preset; did you mean quickstart"):
        find_preset("quikstart")
    with pytest.raises(PresetError, match="no such file"):
        find_preset(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize("model", ["mine.py:build", "models/mine.py:build", "lenet", "torchvision:resnet50"])
def test_a_model_in_the_place_of_a_preset_is_told_how_to_be_trained(model: str) -> None:
    with pytest.raises(PresetError, match=f"; to train that model: .* --set workload.model={model}$"):
        find_preset(model)


def test_a_users_own_preset_joins_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    folder = tmp_path / "gpubench-tui" / "presets"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(MINIMAL)
    mine = find_preset("mine")
    assert mine.own
    assert mine.read().title == "Mine"
