"""The editor: what is typed is checked, planned, run, and saved as a preset of one's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from building import recorded
from driving.app import screen_text, wait_for_text, wait_until
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.estimate import estimate
from gpubench_tui.engine.plan.pace import Pace
from gpubench_tui.engine.plan.preset.library import PresetFile, find_preset
from gpubench_tui.engine.plan.preset.preset import Preset
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.preset.reference import settable_keys
from gpubench_tui.engine.record.paces import pace_key, read_paces, remember_pace, with_paces
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.data import planned_presets
from gpubench_tui.tui.data.editor_fields import MOST_USED, editor_fields, shown_values
from gpubench_tui.tui.data.launch_feed import LaunchOptions
from gpubench_tui.tui.data.preset_edits import WHOLE_PRESET, EditedPreset, edit_preset
from gpubench_tui.tui.requests import ShowLaunch, ShowSessions
from gpubench_tui.tui.screens.dialogs.question import QuestionScreen
from gpubench_tui.tui.screens.dialogs.save_as import SaveAsScreen
from gpubench_tui.tui.screens.editor import EditorScreen
from gpubench_tui.tui.screens.launch import LaunchScreen
from gpubench_tui.tui.screens.sessions import SessionsScreen
from gpubench_tui.tui.widgets.field_list import FieldList
from gpubench_tui.tui.widgets.panel import Panel
from gpubench_tui.tui.widgets.preset_list import PresetList
from textual.pilot import Pilot
from textual.widgets import Input

pytestmark = pytest.mark.slow

SIZES = [(60, 24), (80, 24), (120, 40)]
CLEAR = ["home", "ctrl+k"]


def edited(name: str, changes: dict[str, str], gpus: int = 4, overrides: Sequence[str] = ()) -> EditedPreset:
    host = recorded.host(gpus)
    return edit_preset(
        planned_presets.plan_preset(find_preset(name), overrides, host), changes, overrides, host
    )


def preset_of(found: EditedPreset) -> Preset:
    assert not found.errors
    assert found.planned.preset is not None and found.planned.plan is not None
    return found.planned.preset


# What the fields come to


def test_each_preset_unchanged_stays_as_it_is() -> None:
    host = recorded.host(4)
    for file in ("quickstart", "batch-size", "large-batch", "cnn-vs-vit"):
        base = planned_presets.plan_preset(find_preset(file), (), host)
        assert edit_preset(base, {}, (), host) == EditedPreset(base, {})
        assert base.preset is not None
        shown = shown_values(base.preset, editor_fields(base.preset))
        # Where all workloads agree, typing what is there already changes nothing.
        typed = {key: found[0] for key, found in shown.items() if len(found) == 1}
        if base.preset.matrix.batches:  # which count instead
            typed = {key: text for key, text in typed.items() if not re.match(r"workload.*\.batch$", key)}
        assert preset_of(edit_preset(base, typed, (), host)) == base.preset


def test_the_estimate_knows_what_past_sessions_have_shown() -> None:
    host = recorded.host(0)
    base = planned_presets.plan_preset(find_preset("quickstart"), (), host)
    assert base.plan is not None
    pace = Pace(start=1.0, warm_up=2.0, step=0.1, detail=3.0)
    paces = {pace_key(run, host): pace for run in base.plan.runs}
    known = planned_presets.plan_preset(base.file, (), host, paces)
    assert edit_preset(base, {}, (), host, paces) == EditedPreset(known, {})
    changed = edit_preset(base, {"workload.learning_rate": "0.5"}, (), host, paces).planned.plan
    assert changed is not None and estimate(changed) != estimate(base.plan)


def test_every_key_that_makes_a_plan_has_one_field() -> None:
    wanted = {key for key in settable_keys() if key.partition(".")[0] in ("workload", "measure", "matrix")}
    fields = editor_fields(find_preset("quickstart").read())
    keys = [field.key for field in fields]
    assert len(keys) == len(set(keys))
    assert wanted <= set(keys) and tuple(keys[: len(MOST_USED)]) == MOST_USED
    assert all(field.reference.meaning and field.group for field in fields)


def test_values_of_every_kind_are_taken_as_typed(tmp_path: Path) -> None:
    changes = {
        "workload.compile": "true",
        "workload.model": "lenet",
        "workload.learning_rate_batch": "256",
        "workload.augment": "flip, crop",
        "workload.milestones": "2 4",
        "workload.data_dir": str(tmp_path / "12"),
        "matrix.only": '[{ mode = "ddp" }]',
        "measure.hang_seconds": "90.5",
    }
    preset = preset_of(edited("quickstart", changes))
    workload = preset.workload
    assert (workload.compile, workload.model, workload.learning_rate_batch) == (True, "lenet", 256)
    assert (workload.augment, workload.milestones) == (("flip", "crop"), (2, 4))
    assert workload.data_dir == str(tmp_path / "12")
    assert [part.mode for part in preset.matrix.only] == ["ddp"]
    assert preset.measure.hang_seconds == 90.5
    found = shown_values(preset, editor_fields(preset))
    assert {key: found[key] for key in changes} == {key: [text] for key, text in changes.items()} | {
        "workload.milestones": ["2, 4"]
    }


def test_several_values_of_a_key_are_varied_and_shown_so() -> None:
    changes = {
        "workload.precision": "fp32, bf16",
        "workload.learning_rate": "0.1,0.5",
        "workload.model": "cnn, lenet",
    }
    found = edited("quickstart", changes, overrides=["--vary precision=fp16", "workload.compile=true"])
    preset = preset_of(found)
    assert preset.matrix.vary == {
        "precision": ("fp32", "bf16"),
        "learning_rate": (0.1, 0.5),
        "model": ("cnn", "lenet"),
    }
    assert preset.workload.compile
    shown = shown_values(preset, editor_fields(preset))
    assert {key: shown[key] for key in changes} == {
        "workload.precision": ["fp32, bf16"],
        "workload.learning_rate": ["0.1, 0.5"],
        "workload.model": ["cnn, lenet"],
    }
    # A list is one value, and several batches are those of the matrix.
    preset = preset_of(edited("quickstart", {"workload.augment": "flip, crop", "workload.batch": "8, 16"}))
    assert (preset.matrix.vary, preset.matrix.batches) == ({}, (8, 16))
    assert preset_of(edited("precision", {"workload.precision": "bf16"})).matrix.vary == {
        "precision": ("bf16",)
    }


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("workload.precision", "fp32, fp8", "'fp8' is not known here; allowed: bf16, fp16, fp32, tf32"),
        ("workload.compile", "true, maybe", "expected true or false, got text"),
        ("workload.seed", "1, 1", "1 appears twice"),
        ("matrix.vary", "{ precision = [1] }", "expected"),
    ],
)
def test_what_is_wrong_with_several_values_is_said_at_their_field(key: str, text: str, sentence: str) -> None:
    found = edited("quickstart", {key: text, "measure.seconds": "3"})
    assert list(found.errors) == [key] and sentence in found.errors[key]


def test_one_workload_can_be_changed_alone() -> None:
    changes = {"workload.weight_decay": "0.25", "workloads.large.weight_decay": "0.5"}
    preset = preset_of(edited("large-batch", changes))
    decays = {name: workload.weight_decay for name, workload in preset.workloads.items()}
    assert decays == {"small": 0.25, "large": 0.5, "large-scaled": 0.25}
    fields = editor_fields(preset)
    shown = shown_values(preset, fields)
    assert shown["workload.weight_decay"] == ["0.25", "0.5"]
    assert shown["workloads.large.weight_decay"] == ["0.5"]
    wrong = edited("large-batch", {"workloads.large.batch": "x", "workload.seed": "y"})
    assert set(wrong.errors) == {"workloads.large.batch", "workload.seed"}


def test_a_baseline_is_typed_key_by_key() -> None:
    found = edited("quickstart", {"matrix.baseline.devices": "2"})
    assert found.errors == {"matrix.baseline.mode": "missing"}
    changes = {"matrix.baseline.mode": "ddp", "matrix.devices": "1, 2"}
    baseline = preset_of(edited("quickstart", changes)).matrix.baseline
    assert baseline is not None and (baseline.mode, baseline.devices) == ("ddp", 1)


def test_lists_take_commas_or_spaces_and_words() -> None:
    preset = preset_of(
        edited("quickstart", {"matrix.devices": "1 2, all", "matrix.modes": "single ddp fsdp"})
    )
    assert preset.matrix.devices == (1, 2, "all")
    assert preset.matrix.modes == ("single", "ddp", "fsdp")


def test_one_batch_or_several() -> None:
    assert preset_of(edited("quickstart", {"workload.batch": "32"})).workload.batch == 32
    assert preset_of(edited("quickstart", {"workload.batch": "32, 64"})).matrix.batches == (32, 64)
    preset = preset_of(edited("batch-size", {"workload.batch": "64"}))
    assert preset.matrix.batches == (64,)
    assert preset.matrix.baseline is not None and preset.matrix.baseline.batch == 64


def test_a_change_reaches_every_workload() -> None:
    preset = preset_of(edited("large-batch", {"workload.batch": "256", "workload.data": "synthetic"}))
    assert {workload.batch for workload in preset.workloads.values()} == {256}
    assert {workload.data for workload in preset.workloads.values()} == {"synthetic"}


def test_workloads_that_differ_have_no_common_value() -> None:
    preset = find_preset("large-batch").read()
    assert shown_values(preset, editor_fields(preset))["workload.batch"] == ["128", "2048"]


def test_a_share_is_typed_in_percent() -> None:
    preset = preset_of(edited("quickstart", {"measure.target": "2.5%"}))
    assert preset.measure.target == 0.025
    assert shown_values(preset, editor_fields(preset))["measure.target"] == ["2.5%"]
    assert preset_of(edited("quickstart", {"measure.target": "0.03"})).measure.target == 0.03


def test_a_change_wins_over_the_command_line() -> None:
    changes = {"workload.batch": "16, 32"}
    overrides = ["workload.batch=8", "without_gpus.workload.batch=8", "measure.seconds=1"]
    preset = preset_of(edited("quickstart", changes, overrides=overrides))
    assert preset.matrix.batches == (16, 32)
    assert preset.measure.seconds == 1


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("workload.batch", "many", "expected a whole number, got text"),
        ("workload.batch", "0", "expected a whole number of 1 or more"),
        ("workload.batch", "32, x", "expected a whole number, got text"),
        ("workload.precision", "fp8", "'fp8' is not known here; allowed: bf16, fp16, fp32, tf32"),
        ("matrix.devices", "some", "'some' is not known here; allowed: all, or a whole number"),
        ("matrix.modes", "singel", "'singel' is not known here"),
        ("matrix.modes", ", ,", "expected a list with 1 or more entries"),
        ("measure.seconds", "-1", "expected a number above 0"),
        ("measure.target", "500%", "expected a percentage below 100%"),
        ("measure.target", "5", "expected a number below 1"),
        ("workload.compile", "yes", "expected true or false"),
        ("workload.model", "lenet9", "lenet9"),
        ("matrix.only", "[{ mode = 1 }]", "expected"),
        ("measure.target", "1..2%", "expected a number, got text"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(key: str, text: str, sentence: str) -> None:
    found = edited("quickstart", {key: text, "measure.repeats": "2"})
    assert list(found.errors) == [key]
    assert sentence in found.errors[key]


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = edited("quickstart", {"workload.batch": "x", "measure.seconds": "y", "measure.epochs": "z"})
    assert set(found.errors) == {"workload.batch", "measure.seconds", "measure.epochs"}


def test_what_is_missing_is_said_where_it_is_to_be_typed(tmp_path: Path) -> None:
    found = edited("quickstart", {"workload.data": "folder"})
    assert "missing" in found.errors["workload.data_dir"]
    found = edited("quickstart", {"workload.data": "folder", "workload.data_dir": str(tmp_path)})
    assert "no folder" in found.errors["workload.data_dir"]


def test_a_plan_without_runs_belongs_to_no_field() -> None:
    found = edited("quickstart", {"matrix.modes": "dp", "matrix.devices": "1"})
    assert "holds no run" in found.errors[WHOLE_PRESET]


# The screen


@pytest.fixture
def own_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own presets, not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "gpubench-tui" / "presets"


async def opened(pilot: Pilot[int]) -> None:
    await wait_for_text(pilot, "(estimate)")
    await pilot.press("e")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, EditorScreen))
    await wait_for_text(pilot, "Edit quickstart", "2 runs on")


async def type_in(pilot: Pilot[int], key: str, text: str) -> None:
    fields = pilot.app.screen.query_one(FieldList)
    fields.go_to(key)
    fields.input.focus()
    await pilot.press(*CLEAR, *text)


@pytest.mark.parametrize("size", SIZES)
async def test_the_keys_most_used_are_in_sight_with_the_plan_and_their_meaning(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        text = screen_text(app)
        seen = MOST_USED[: 12 if size[0] > 76 else 6]
        assert all(f"{key.partition('.')[2]} " in text for key in seen), text
        assert "single, dp, ddp, fsdp" in text
        await pilot.press("down")
        takes = "a list of whole numbers from 1, or all; default:"
        await wait_for_text(pilot, "Device counts for all modes", takes, "[1]")


async def test_the_estimate_is_that_of_the_launch_screen(tmp_path: Path) -> None:
    host = inspect_host(None)
    unknown = planned_presets.plan_preset(find_preset("quickstart"), (), host).plan
    assert unknown is not None
    for run in unknown.runs:
        remember_pace(tmp_path, pace_key(run, host), Pace(start=1.0, warm_up=300.0, step=0.1, detail=3.0))
    said = str(estimate(with_paces(unknown, host, read_paces(tmp_path))))
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, said)
        await opened(pilot)
        plan = app.screen.query_one("#plan", Panel)
        await wait_until(pilot, lambda: said in " ".join(plan.content.plain.split()))


async def test_a_plan_that_is_made_meanwhile_takes_no_typed_text(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        screen = app.screen
        assert isinstance(screen, EditorScreen)
        field = screen.query_one(FieldList).input
        with field.prevent(Input.Changed):  # as long as its message is on its way
            field.value = "ddp"
        screen.post_message(EditorScreen.Checked(screen._edited))
        await pilot.pause()
        assert field.value == "ddp"


async def test_a_search_finds_a_key_by_name_or_meaning(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("/", *"decay")
        await wait_for_text(pilot, ">weight_decay", "Weight decay of the optimizer")
        await pilot.press("enter", *CLEAR, *"0.5")
        await wait_until(pilot, lambda: bool(re.search(r">weight_decay\* +0\.5", screen_text(app))))
        await pilot.press("f3", *CLEAR, *"warm-up")
        await wait_for_text(pilot, "warmup_steps", "cudnn_benchmark")
        assert "weight_decay" not in screen_text(app)
        await pilot.press(*CLEAR, *"zzz")
        await wait_for_text(pilot, "Nothing matches zzz; all keys:", ">modes", "Modes to measure")
        await pilot.press("enter", "pagedown", "pageup", "pageup")
        await wait_for_text(pilot, "Nothing matches zzz; all keys:", ">modes", "Modes to measure")
        await pilot.press("f3", *CLEAR, *"lr")
        await wait_for_text(pilot, ">learning_rate ", "Learning rate after warm-up")
        assert "modes" not in screen_text(app)
        for typed in ("model", "learning rate", "batch"):
            await pilot.press(*CLEAR, *typed)
            await wait_for_text(pilot, f">{typed.replace(' ', '_')} ", "training")
        await pilot.press("escape", "pageup", "pageup", "pageup", "pageup")
        await wait_for_text(pilot, ">modes", "Modes to measure")


async def test_a_slash_is_typed_where_a_path_may_be(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await type_in(pilot, "workload.data_dir", "/no/such")
        await wait_for_text(pilot, "data_dir*", "/no/such")
        assert not app.screen.query("#filter")


async def test_edits_are_dropped_only_when_asked(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await type_in(pilot, "measure.repeats", "3")
        await wait_for_text(pilot, "6 runs on")
        for key in ("escape", "q"):
            await pilot.press("escape") if key == "escape" else None
            await pilot.press(key)
            await wait_for_text(pilot, "1 edit of quickstart would be lost.")
            await pilot.press("enter")  # the harmless answer
            await wait_until(pilot, lambda: isinstance(app.screen, EditorScreen))
        app.post_message(ShowSessions())
        await wait_until(pilot, lambda: isinstance(app.screen, SessionsScreen))
        app.post_message(ShowLaunch())
        await wait_until(pilot, lambda: isinstance(app.screen, EditorScreen))
        assert app.screen.query_one(FieldList).changes == {"measure.repeats": "3"}
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, QuestionScreen))
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_typing_is_checked_and_changes_the_plan(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await type_in(pilot, "workload.batch", "0")
        await wait_for_text(pilot, "expected a whole number of 1", "no plan", "batch* ")
        await type_in(pilot, "measure.repeats", "3")
        await type_in(pilot, "workload.batch", "48")
        await wait_for_text(pilot, "6 runs on", "batch 2 x 48", "repeats*")
        assert "no plan" not in screen_text(app)


async def test_f5_runs_what_the_fields_say_without_saving_it(
    tmp_path: Path, begun: list[SessionFolder], own_presets: Path
) -> None:
    app = GpubenchApp(tmp_path, LaunchOptions(overrides=["measure.seconds=2"]))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await type_in(pilot, "workload.batch", "none")
        await pilot.press("f5")
        await wait_for_text(pilot, "expected a whole number, got")
        await wait_until(
            pilot, lambda: any("Fix workload.batch first" in one.message for one in app._notifications)
        )
        assert not begun
        await type_in(pilot, "workload.batch", "48")
        await pilot.press("f5")
        await wait_for_text(pilot, "waiting  quickstart-")
    (folder,) = begun
    preset = read_preset(folder.preset.read_text(), "preset.toml")
    assert (preset.workload.batch, preset.measure.seconds) == (48, 2)
    assert not own_presets.exists()


async def test_it_is_saved_under_a_name_and_found_in_the_list(tmp_path: Path, own_presets: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await type_in(pilot, "workload.batch", "48")
        await pilot.press("escape", "w")
        await wait_for_text(pilot, "named:", "My quickstart", "Enter saves to")
        await pilot.press(*CLEAR, *"Quickstart")
        await wait_for_text(pilot, "comes with the program")
        await pilot.press("enter")
        assert isinstance(app.screen, SaveAsScreen)
        await pilot.press(*CLEAR, *"Small batch", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await wait_for_text(pilot, "Saved as", "Yours")
        await wait_until(pilot, lambda: app.screen.query_one(PresetList).current == "small-batch")
        await wait_for_text(pilot, "batch 2 x 48 = 96")
    preset = PresetFile("small-batch", own_presets / "small-batch.toml", own=True).read()
    assert (preset.title, preset.group, preset.workload.batch) == ("Small batch", "", 48)


async def test_another_preset_is_replaced_only_when_told_twice(tmp_path: Path, own_presets: Path) -> None:
    own_presets.mkdir(parents=True)
    (own_presets / "my-quickstart.toml").write_text("kept")
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("f6")
        await wait_for_text(pilot, "Already exists: Enter replaces it")
        await pilot.press("enter")
        await wait_for_text(pilot, "Enter again replaces it")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, EditorScreen))
        assert (own_presets / "my-quickstart.toml").read_text() == "kept"
        await pilot.press("f6", "enter", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))
    saved = PresetFile("my-quickstart", own_presets / "my-quickstart.toml", own=True).read()
    assert (saved.workload.model, saved.reduced().workload.model) == ("cifar-resnet18", "cnn")


async def test_escape_leaves_the_field_then_the_editor(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("escape")
        await wait_for_text(pilot, "w Save as")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))
