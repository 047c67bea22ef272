"""The launch screen: presets by question, the filter, a selection, and what is said before the start."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from building import recorded
from building.session_process import Starter
from driving.app import PATIENCE_SECONDS, SIZES, screen_text, wait_for_text, wait_until
from gpubench_tui.engine.host.facts import GpuProcess, GpuSample, Host
from gpubench_tui.engine.host.gpu.poller import GpuPoller
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.preset.write import write_preset
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.data import planned_presets, start_sessions
from gpubench_tui.tui.data.launch_feed import LaunchOptions
from gpubench_tui.tui.screens.dialogs.help import HelpScreen
from gpubench_tui.tui.screens.dialogs.question import QuestionScreen
from gpubench_tui.tui.screens.launch import LaunchScreen
from gpubench_tui.tui.screens.monitor import MonitorScreen
from gpubench_tui.tui.widgets.panel import Panel
from gpubench_tui.tui.widgets.preset_list import PresetList
from msgspec.structs import replace

pytestmark = pytest.mark.slow


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[list[str], list[str]]]]:
    """Sessions wait for ever instead of being started: their names, and those that they wait for."""
    asked: list[tuple[list[str], list[str]]] = []
    turns: list[int] = []

    def start(*folders: SessionFolder, after: Sequence[SessionFolder] = ()) -> None:
        turns.extend(folder.wait_for_turn(None) for folder in folders)
        asked.append(([folder.name for folder in folders], [folder.name for folder in after]))

    monkeypatch.setattr(start_sessions, "start_session", start)
    yield asked
    for turn in turns:
        os.close(turn)


@pytest.fixture
def own_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own presets."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "config" / "gpubench-tui" / "presets"
    folder.mkdir(parents=True)
    return folder


def on(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the app find itself on that machine."""
    monkeypatch.setattr(planned_presets, "inspect_host", lambda gpus: host)


@pytest.mark.parametrize("size", SIZES)
async def test_the_launch_screen_offers_presets_with_their_plan_for_this_machine(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await wait_for_text(
            pilot, "Quickstart", "Does training scale on", "(estimate)", " of ", "cores", "single x1"
        )
        await wait_for_text(pilot, "memory")
        await pilot.press("down", "down")
        await wait_for_text(pilot, "single-dp-ddp  Is DDP", "reduced form", "ddp x2")


@pytest.mark.parametrize("size", SIZES)
async def test_a_notification_covers_no_figure_of_the_devices(tmp_path: Path, size: tuple[int, int]) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size, notifications=True) as pilot:
        await wait_for_text(pilot, "(estimate)", "memory")
        app.notify("the driver lacks a function " * 9, title="Driver", timeout=PATIENCE_SECONDS)
        await wait_for_text(pilot, "the driver lacks a function")
        devices = app.screen.query_one("#devices", Panel)
        await wait_until(pilot, lambda: app.screen.query("Toast").first().region.height > 0)
        toast = app.screen.query("Toast").first().region
        assert toast.bottom <= devices.region.y
        assert toast.y >= 0


@pytest.mark.parametrize("size", SIZES)
async def test_all_presets_are_in_sight_with_their_questions_where_there_is_room(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await wait_for_text(pilot, "(estimate)")
        presets = app.screen.query_one(PresetList)
        assert presets.option_count >= 10
        await wait_until(pilot, lambda: presets.max_scroll_y == 0 or size == (80, 24))
        text = screen_text(app)
        assert "A full training on" in text
        assert ("more below" in text) == (presets.max_scroll_y > 0)
        presets.highlighted = presets.option_count - 1
        await wait_until(pilot, lambda: ("more above" in screen_text(app)) == (presets.max_scroll_y > 0))
        for group in ("Is DDP worth it here?", "Which batch size?"):
            assert group in text
        await pilot.resize_terminal(200, 80)
        await wait_for_text(pilot, "Which batch size is best here?")


async def test_a_launch_screen_that_is_covered_looks_at_nothing(
    running_session: Starter, tmp_path: Path
) -> None:
    running_session(0, 6.7)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, " is running", "Attach", " cores  ")
        await pilot.press("a")
        await wait_for_text(pilot, "running", "✓ single x1")
        looking = [worker for worker in app.workers if worker.group == "look"]
        await wait_until(pilot, lambda: all(worker.is_finished for worker in looking))


async def test_overrides_are_shown_and_change_the_plan(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path, LaunchOptions(overrides=["workload.batch=32"]))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "--set workload.batch=32", "batch 32")


async def test_a_preset_that_cannot_be_used_is_explained_in_place(own_presets: Path, tmp_path: Path) -> None:
    (own_presets / "mine.toml").write_text(
        'title = "Mine"\nquestion = "Why?"\n[matrix]\nmodes = ["singel"]\n'
    )
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 40)) as pilot:
        await wait_for_text(pilot, "(estimate)", "Yours")
        await pilot.press("end")
        await wait_for_text(pilot, "mine", "cannot be used", "matrix.modes")
        await pilot.press("e")
        await wait_for_text(pilot, "before editing it here.", "singel")
        await pilot.press("enter", "question_mark")
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert len(app.screen_stack) == 2, "help lies over the launch screen"
        assert not list(tmp_path.glob("mine-*"))


async def test_an_override_that_does_not_fit_moves_no_preset(own_presets: Path, tmp_path: Path) -> None:
    text = write_preset(replace(find_preset("scaling").read(), title="Mine"))
    (own_presets / "scaling.toml").write_text(text)
    app = GpubenchApp(tmp_path, LaunchOptions(overrides=["workload.batch=8"]))
    async with app.run_test(size=(120, 60)) as pilot:
        shown = await wait_for_text(pilot, "Batch size", "cannot be used", "(estimate)")
        assert "Yours" not in shown
        assert "(yours, instead of" in shown
        app.screen.query_one(PresetList).go_to("batch-size")
        await wait_for_text(pilot, "--set workload.batch=8: replaced by matrix.batches")
        app.screen.query_one(PresetList).go_to("scaling")
        await wait_for_text(pilot, "scaling is your own preset", "shipped:scaling")


async def test_an_unknown_gpu_is_a_sentence(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path, LaunchOptions(gpus=[97]))
    async with app.run_test(size=(120, 24)) as pilot:
        await wait_for_text(pilot, "--gpus: ", "97")


async def test_a_shelf_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    app = GpubenchApp(tmp_path / "file" / "shelf")
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("enter")
        await wait_for_text(pilot, "The session cannot be started: ")


async def test_a_shelf_that_cannot_be_looked_at_is_a_sentence(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path / ("long" * 100))
    async with app.run_test(size=(120, 24)) as pilot:
        await wait_for_text(pilot, "The sessions folder cannot be read: ", "File name too long")


async def test_a_session_that_runs_already_can_be_attached_to(
    running_session: Starter, tmp_path: Path
) -> None:
    folder = running_session(0, 6.7)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, " is running", "Attach")
        await pilot.press("a")
        await wait_for_text(pilot, "running", "✓ single x1")
        assert isinstance(app.screen, MonitorScreen) and app.screen.folder.name == folder.name


async def test_a_narrow_launch_screen_stacks(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(60, 24)) as pilot:
        await wait_for_text(pilot, "Quickstart", "(estimate)")
        presets, plan = app.screen.query_one(PresetList), app.screen.query_one("#plan", Panel)
        assert plan.region.y >= presets.region.bottom
        assert plan.region.width >= 58


async def test_the_first_frame_has_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inspected, inspect = threading.Event(), planned_presets.inspect_machine

    def late(*arguments: Any) -> Any:
        inspected.wait(PATIENCE_SECONDS)
        return inspect(*arguments)

    monkeypatch.setattr(planned_presets, "inspect_machine", late)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "quickstart" in screen_text(app)
        inspected.set()
        await wait_for_text(pilot, ">Quickstart")


async def test_the_filter_narrows_the_list_with_each_letter(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("down", "slash", *"resnet18")
        await wait_until(pilot, lambda: "Language models" not in screen_text(app))
        text = screen_text(app)
        assert "Scaling over devices" in text and "A full training on" in text
        await pilot.press(*"zz")
        await wait_for_text(pilot, "No preset matches", '"resnet18zz"', "Escape clears the filter.")
        await wait_for_text(pilot, "no preset selected")
        await pilot.press(*["backspace"] * 2, "enter", "down", "down")
        await wait_for_text(pilot, "single-dp-ddp  Is DDP")
        await pilot.press("escape")
        await wait_for_text(pilot, "Quickstart")
        assert app.screen.query_one(PresetList).current == "single-dp-ddp"
        assert not app.screen.query("#filter")


async def test_the_filter_knows_questions_and_several_words(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("slash", *"bandwidth comm")
        await wait_for_text(pilot, "communication  How much of a step")
        assert app.screen.query_one(PresetList).option_count == 2


async def test_several_are_started_in_the_order_of_their_selection(
    tmp_path: Path, started: list[tuple[list[str], list[str]]]
) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("down", "space", *["up"] * 2, "space", "down", "space", "up", "space")
        text = await wait_for_text(
            pilot, "2 selected", "scaling then quickstart", "1 Scaling", "2 Quickstart"
        )
        assert "3 Single" not in text
        await pilot.press("tab", "enter")
        await wait_for_text(pilot, "waiting  scaling-")
    ((names, after),) = started
    assert [name.rpartition("-")[0].rpartition("-")[0] for name in names] == ["scaling", "quickstart"]
    assert not after


async def test_enter_starts_the_preset_under_the_cursor_where_none_is_selected(
    tmp_path: Path, started: list[tuple[list[str], list[str]]]
) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("tab", "tab")
        assert app.screen.focused is app.screen.query_one("#devices")
        await pilot.press("enter")
        await wait_for_text(pilot, "waiting  quickstart-")
    assert len(started) == 1


async def test_enter_pressed_again_on_a_slow_line_asks_nothing(
    tmp_path: Path, started: list[tuple[list[str], list[str]]]
) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        launch = app.screen
        assert isinstance(launch, LaunchScreen)
        await pilot.press("enter")
        await wait_for_text(pilot, "waiting  quickstart-")
        await asyncio.wait_for(launch.action_start().wait(), 10)
        assert isinstance(app.screen, MonitorScreen)
    assert len(started) == 1


async def test_beside_another_session_it_asks_first(
    running_session: Starter, tmp_path: Path, started: list[tuple[list[str], list[str]]]
) -> None:
    running = running_session(0, 6.7)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "is running", "w opens")
        await pilot.press("w")
        await wait_for_text(pilot, "a attaches to it")
        await pilot.press("enter")
        await wait_for_text(pilot, "would run at the same time", "Wait in the queue", "Start now")
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(app.screen, QuestionScreen))
        assert not started
        await pilot.press("enter")
        await wait_for_text(pilot, "Wait in the queue")
        await pilot.press("w")
        await wait_for_text(pilot, "waiting  quickstart-")
    ((_, after),) = started
    assert after == [running.name]


async def test_what_is_missing_is_said_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[tuple[list[str], list[str]]]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    machine = recorded.host(2)
    on(machine, monkeypatch)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        assert "CIFAR-10 is not here" not in screen_text(app)
        await pilot.press("down", "down")
        await wait_for_text(
            pilot, "! CIFAR-10 has not been downloaded yet", "dp x2", "warning", "w opens it", "resnet34"
        )
        await pilot.press("w")
        await wait_for_text(pilot, "163 MiB", "cifar-10-python.tar.gz", "e changes")
    assert not started


async def test_without_torchvision_what_needs_it_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[tuple[list[str], list[str]]]
) -> None:
    machine = recorded.host(2)
    software = msgspec.structs.replace(machine.software, torchvision=None)
    on(msgspec.structs.replace(machine, software=software), monkeypatch)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("down", "down", "w")
        await wait_for_text(
            pilot, "torchvision is not installed", "pip install torchvision", "synthetic data"
        )
        await pilot.press("enter", "home", "enter")
        await wait_for_text(pilot, "waiting  quickstart-")
        (((name,), _),) = started
        assert name.startswith("quickstart-")


async def test_busy_gpus_are_named_with_their_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = recorded.host(2)
    busy = msgspec.structs.replace(
        machine.gpus[1], processes=(GpuProcess(4242, "python", 12 << 30, "alice"), GpuProcess(4243))
    )
    on(msgspec.structs.replace(machine, gpus=(machine.gpus[0], busy)), monkeypatch)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        text = await wait_for_text(pilot, "GPU 1 is in use by python (4242, alice, 12.0 GiB), process (4243)")
        assert "GPU 0 is in use" not in text
        await pilot.press("w")
        await wait_for_text(pilot, "choose others with g")


async def test_on_a_plain_terminal_groups_and_numbers_still_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("space")
        text = await wait_for_text(pilot, "1 Quickstart", " >Scaling over", "Which batch size?")
        assert text.isascii(), [character for character in text if not character.isascii()]


async def test_light_and_dark_are_a_key_apart(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.current_theme.dark
        await pilot.press("f2")
        assert not app.current_theme.dark
        await wait_for_text(pilot, "Quickstart")


# GPUs


def taken(host: Host, **users: int) -> Host:
    """The host with processes of these people on the GPUs of these indices."""
    gpus = list(host.gpus)
    for number, (user, index) in enumerate(users.items(), start=1):
        process = GpuProcess(10**7 + number, "train.py", 50 << 30, user)
        gpus[index] = replace(gpus[index], processes=(process,))
    return replace(host, gpus=tuple(gpus))


async def test_runs_stay_in_sight_however_many_warnings_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone = {f"user{index}": index for index in range(16)}
    on(taken(recorded.host(16), **everyone), monkeypatch)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await wait_for_text(pilot, "single x1", "ddp x16", "warnings", "! GPU 0 is in use by train.py")
        assert text.index("ddp x16") < text.index("! GPU 0")
        plan = app.screen.query_one("#plan", Panel)
        lines = plan.content.plain.split("\n")
        assert len([line for line in lines if line.startswith("! GPU")]) == 16
        assert all(len(line) <= plan.columns for line in lines if line.startswith("!"))
        await pilot.press("w")
        await wait_until(pilot, lambda: "figures will be too low" in plan.content.plain)
        sentences = [line for line in plan.content.plain.split("\n") if len(line) > 20]
        assert len(sentences) == len(set(sentences))


async def test_gpus_are_chosen_for_all_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[tuple[list[str], list[str]]]
) -> None:
    on(taken(recorded.host(8), anna=0, bob=5), monkeypatch)
    app = GpubenchApp(tmp_path, LaunchOptions(gpus=[0, 1]))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "2 x NVIDIA H200 (GPU 0-1 of 8)", "ddp x2", "* chosen")
        await pilot.press("g")
        await wait_for_text(pilot, "[x]  0", "anna train.py 50 GiB", "[x]  1", "[ ]  5", "As --gpus 0-1.")
        await pilot.press("n", "enter")
        await wait_for_text(pilot, "Mark at least one.")
        await pilot.press("f")
        await wait_for_text(pilot, "[ ]  0", "[x]  1", "[ ]  5", "As --gpus 1-4,6-7.")
        await pilot.press("down", "space", "enter")
        await wait_for_text(pilot, "5 x H200 (GPU 2-4, 6-7 of 8), 2 CPUs, torch 2.13.0", "ddp x5")
        assert "is in use" not in screen_text(app)
        assert app.options.gpus == (2, 3, 4, 6, 7)
        await pilot.press("enter")
        await wait_for_text(pilot, "waiting  quickstart-")
    (folder,) = tmp_path.glob("quickstart-*")
    plan = SessionFolder(folder).request().plan
    assert [device.index for device in plan.devices] == [2, 3, 4, 6, 7]


async def test_a_wrong_choice_on_the_command_line_is_mended_in_the_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = recorded.host(2)

    def inspect(gpus: Sequence[int] | None) -> Host:
        if gpus is not None:
            raise ValueError("there is no GPU 7 (usable here: 0, 1)")
        return machine

    monkeypatch.setattr(planned_presets, "inspect_host", inspect)
    app = GpubenchApp(tmp_path, LaunchOptions(gpus=[7]))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "--gpus: there is no GPU 7", "GPUs")
        await pilot.press("g", "a", "enter")
        await wait_for_text(pilot, "2 x NVIDIA H200, ", "ddp x2")
        assert app.options.gpus is None


async def test_without_gpus_there_are_none_to_choose_from(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("g")
        await wait_for_text(pilot, "There are no GPUs to choose from here")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_devices_enlarged_show_processes_and_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    def sample(self: GpuPoller) -> list[GpuSample]:
        process = GpuProcess(4242, "train.py", 50 << 30, "anna")
        return [GpuSample(index=index, utilization=42.0, processes=(process,)) for index in range(8)]

    monkeypatch.setattr(GpuPoller, "sample", sample)
    on(recorded.host(8), monkeypatch)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await wait_for_text(pilot, "ddp x8", "anna train.py")
        await pilot.press("z")
        await wait_for_text(pilot, "CPU ", "4242", "anna", "42%")
        assert "Quickstart" not in screen_text(app)
        devices = app.screen.query_one("#devices", Panel)
        await wait_until(pilot, lambda: "History of all since the start" in devices.content.plain)
        await pilot.press("left_square_bracket")
        await wait_until(pilot, lambda: "History of last 10 min" in devices.content.plain)
        await pilot.press("end")
        await wait_for_text(pilot, "uncorrected")
        await pilot.press("escape")
        await wait_for_text(pilot, ">Quickstart", "ddp x8")
        assert app.screen.focused is app.screen.query_one(PresetList)
