"""The editor: what is typed is checked, planned, run, and saved as a preset of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from building import recorded
from driving.app import screen_text, wait_for_text, wait_until
from gpubench_tui.engine.plan.library import PresetFile, find_preset
from gpubench_tui.engine.plan.preset import Preset
from gpubench_tui.engine.plan.read import read_preset
from gpubench_tui.engine.record.shelf import SessionFolder
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.data import planned_presets, start_sessions
from gpubench_tui.tui.data.launch_feed import LaunchOptions
from gpubench_tui.tui.data.preset_edits import FIELDS, WHOLE_PRESET, EditedPreset, edit_preset, field_values
from gpubench_tui.tui.screens.dialogs.save_as import SaveAsScreen
from gpubench_tui.tui.screens.editor import EditorScreen, FieldRow
from gpubench_tui.tui.screens.launch import LaunchScreen
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
        shown = {field.key: field_values(base.preset, field) for field in FIELDS}
        # Where all workloads agree, typing what is there already changes nothing.
        typed = {key: found[0] for key, found in shown.items() if len(found) == 1}
        assert preset_of(edit_preset(base, typed, (), host)) == base.preset


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
    batch = next(field for field in FIELDS if field.key == "workload.batch")
    assert field_values(preset, batch) == ["128", "2048"]


def test_a_share_is_typed_in_percent() -> None:
    target = next(field for field in FIELDS if field.key == "measure.target")
    preset = preset_of(edited("quickstart", {"measure.target": "2.5%"}))
    assert preset.measure.target == 0.025
    assert field_values(preset, target) == ["2.5%"]
    assert preset_of(edited("quickstart", {"measure.target": "0.03"})).measure.target == 0.03


def test_a_change_wins_over_the_command_line() -> None:
    changes = {"workload.batch": "16, 32"}
    overrides = ["workload.batch=8", "gpu.workload.batch=8", "measure.seconds=1"]
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
        ("measure.target", "100%", "expected a number below 1"),
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
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[SessionFolder]]:
    """Sessions wait for ever instead of being started."""
    folders: list[SessionFolder] = []
    turns: list[int] = []

    def start(*asked: SessionFolder, after: Sequence[SessionFolder] = ()) -> None:
        turns.extend(folder.wait_for_turn(None) for folder in asked)
        folders.extend(asked)

    monkeypatch.setattr(start_sessions, "start_session", start)
    yield folders
    for turn in turns:
        os.close(turn)


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
    (row,) = (row for row in pilot.app.screen.query(FieldRow) if row.field.key == key)
    row.query_one(Input).focus()
    await pilot.press(*CLEAR, *text)


@pytest.mark.parametrize("size", SIZES)
async def test_every_field_is_in_sight_with_the_plan(tmp_path: Path, size: tuple[int, int]) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        text = screen_text(app)
        assert all(f"\n {field.label}" in text for field in FIELDS), text
        assert "single, dp, ddp, fsdp" in text
        await pilot.press("down")
        await wait_for_text(pilot, "how many: 1, 2, 4 or all")


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
    tmp_path: Path, started: list[SessionFolder], own_presets: Path
) -> None:
    app = GpubenchApp(tmp_path, LaunchOptions(overrides=["measure.seconds=2"]))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await type_in(pilot, "workload.batch", "none")
        await pilot.press("f5")
        await wait_for_text(pilot, "expected a whole number, got")
        await wait_until(pilot, lambda: any("Fix batch first" in one.message for one in app._notifications))
        assert not started
        await type_in(pilot, "workload.batch", "48")
        await pilot.press("f5")
        await wait_for_text(pilot, "waiting  quickstart-")
    (folder,) = started
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
    assert (
        PresetFile("my-quickstart", own_presets / "my-quickstart.toml", own=True).read().workload.model
        == "cnn"
    )


async def test_escape_leaves_the_field_then_the_editor(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("escape")
        await wait_for_text(pilot, "w Save as")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))
