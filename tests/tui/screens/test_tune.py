"""Tunes on the screens: started from the launch screen, watched, stopped, replayed, and their results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from building.long_tunes import long_tune, shelve_events
from building.tunes import SETTLED, gone_on, opened, out_of_memory
from driving.app import screen_text, wait_for_text, wait_until, watching
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Tune
from gpubench_tui.engine.record.events import Event, RunStarted
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.screens.dialogs.tune import TuneScreen
from gpubench_tui.tui.screens.launch import LaunchScreen
from gpubench_tui.tui.screens.monitor import MonitorScreen

pytestmark = pytest.mark.slow

SIZES = [(80, 24), (120, 40)]


def rate(run: RunSpec) -> float:
    """A machine on which a larger batch helps until its memory ends."""
    if run.workload.batch > 300:
        raise out_of_memory(run.workload.batch)
    wobble = 1 + 0.01 * math.sin(sum(map(ord, run.id)))
    return 1000.0 * (run.workload.batch / 64) ** 0.3 * wobble


def tune_events(runs: int = 400) -> list[Event]:
    """A tune that has gone on for so many runs."""
    return gone_on(opened(allow=("recipe",), workload=SETTLED), rate, runs=runs)


def record(folder: SessionFolder, events: Sequence[Event]) -> None:
    journal = Journal(folder.journal)
    for event in events:
        journal.append(event)
    journal.close()


@pytest.mark.parametrize("size", SIZES)
async def test_the_waterfall_grows_with_the_plan(tmp_path: Path, size: tuple[int, int]) -> None:
    whole = tune_events()
    so_far = len(tune_events(runs=12))
    folder = shelve_events(tmp_path, whole[:so_far], "a-tune")
    with folder.hold():
        app = watching(folder)
        async with app.run_test(size=size) as pilot:
            await wait_for_text(pilot, "▶ batch 288", "1 tried, 0 kept", "pair 3", "larger batch")
            text = await wait_for_text(pilot, "128, 256, 288 fit; 512, 384, 320 too large", "992 samples/s")
            assert "= total" not in text
            await wait_until(pilot, lambda: ("Samples/s" in screen_text(app)) == (size[0] >= 110))
            await pilot.press("s")
            await wait_for_text(pilot, "It keeps what it has found so far")
            await pilot.press("escape")
            record(folder, whole[so_far:])
            text = await wait_for_text(pilot, "= total", "measured anew", "batch = 288")
            await pilot.press("m")
            assert "Resume" not in text
            text = await wait_for_text(pilot, "finished", "1 kept, ended: no remedy is left", "✓ batch 288")
            assert "kept" in text.split("✓ batch 288")[1].splitlines()[0]


@pytest.mark.parametrize(
    ("begun", "title", "then"),
    [
        (1, "demo: measuring the start", "ends without its start"),
        (5, "demo: looking for the largest batch", "without what it tries"),
    ],
)
async def test_before_a_skip_it_is_said_what_the_tune_then_does(
    tmp_path: Path, begun: int, title: str, then: str
) -> None:
    events = tune_events()
    starts = [at for at, event in enumerate(events) if isinstance(event, RunStarted)]
    folder = shelve_events(tmp_path, events[: starts[begun - 1] + 1], "a-tune")
    with folder.hold():
        app = watching(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_for_text(pilot, "k Skip run", title)
            await pilot.press("k")
            await wait_for_text(pilot, "Skip the rest of", then)


async def test_of_many_attempts_the_present_one_is_in_sight(tmp_path: Path) -> None:
    folder = shelve_events(tmp_path, long_tune(), "long")
    with folder.hold():
        app = watching(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_for_text(pilot, "12 tried, 4 kept", "▶ fused optimizer", "= total", "accumulation of")
            assert "resident data" not in screen_text(app)
            app.screen.query_one("#plan").focus()
            await pilot.press("home")
            await wait_for_text(pilot, "1,000 samples/s", "✓ resident data")
            await pilot.press("z")
            text = await wait_for_text(pilot, "1,000 samples/s", "✗ compile", "▶ fused optimizer", "= total")
            assert all(sign in text for sign in ("refused: slower", "refused: no gain", "pair 3"))


async def test_a_tune_is_replayed_as_it_grew(tmp_path: Path) -> None:
    app = watching(shelve_events(tmp_path, tune_events(), "a-tune"), 0.01)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "replay", "measuring the start")
        assert "larger batch" not in screen_text(app)
        await pilot.press("space", *["right"] * 12)
        await wait_for_text(pilot, "paused", "✓ batch 288", "anew, pair ")
        await pilot.press(*["left"] * 9)
        await wait_until(pilot, lambda: "✓ batch 288" not in screen_text(app))
        await wait_for_text(pilot, "larger batch", "trying ")


@pytest.mark.parametrize("size", SIZES)
async def test_a_tune_begins_on_the_launch_screen(
    tmp_path: Path, size: tuple[int, int], begun: list[SessionFolder]
) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await wait_for_text(pilot, "(estimate)", "t Tune")
        await pilot.press("t")
        await wait_for_text(pilot, "Tune quickstart: ", "[ ] numerics", "[ ] recipe", "[x] memory")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        assert not begun
        await pilot.press("t")
        await wait_for_text(pilot, "[x] memory")
        await pilot.press("down", "space", "tab", *"2x")
        await wait_for_text(pilot, "[x] recipe", "Expected a number of minutes")
        await pilot.press("enter")
        assert isinstance(app.screen, TuneScreen)
        await pilot.press("backspace", ".", "5", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, MonitorScreen))
    (folder,) = begun
    plan = folder.request().plan
    assert plan.tune == Tune(allow=("recipe", "memory"), minutes=2.5)
    assert folder.name.startswith("tune-quickstart-")
    assert [run.attempt.purpose for run in plan.runs if run.attempt] == ["start"]
