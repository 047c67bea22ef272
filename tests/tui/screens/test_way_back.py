"""The way from a session back to the presets, and from there to the session."""

from __future__ import annotations

from pathlib import Path

import pytest
from building.recorded import shelve
from building.session_process import Starter
from driving.app import monitor, replayed, screen_text, wait_for_text, wait_until, watching
from gpubench_tui.engine.conductor import control
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.requests import ShowSessions
from gpubench_tui.tui.screens.launch import LaunchScreen
from gpubench_tui.tui.screens.monitor import MonitorScreen
from gpubench_tui.tui.screens.sessions import SessionsScreen

pytestmark = pytest.mark.slow


async def test_from_a_running_session_to_the_presets_and_back(
    running_session: Starter, tmp_path: Path
) -> None:
    folder = running_session(2, 6.7)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_for_text(pilot, "▶ pretended", "; a returns to it", "a Attach")
        for key in ("n", "escape"):
            await pilot.press("a")
            await wait_for_text(pilot, "running", "✓ single x1", "n Presets")
            await pilot.press(key, key)  # twice, as impatience presses it
            await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))
            assert len(app.screen_stack) == 1
        await wait_for_text(pilot, f"▶ {folder.name} is running, 1 of ", "% (estimate)")
        assert folder.is_running()
        control.stop_session(folder)
        await wait_for_text(pilot, "Session ended", f"{folder.name} is ", "1.91x")
        await wait_until(pilot, lambda: "a returns to it" not in screen_text(app))
        assert "a Attach" not in screen_text(app)


async def test_from_the_monitor_that_the_app_opened_with(running_session: Starter) -> None:
    folder = running_session(0, 6.7)
    app = watching(folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("z", "escape")  # leaves the zoom only
        await pilot.pause()
        assert isinstance(app.screen, MonitorScreen) and app.screen.maximized is None
        await pilot.press("escape")
        await wait_for_text(pilot, f"▶ {folder.name} is running", "a returns to it")
        await pilot.press("a")
        await wait_until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert len(app.screen_stack) == 1
        await pilot.press("t")
        await wait_for_text(pilot, "so far")
        await pilot.press("n")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_leaving_the_app_from_the_presets_tells_of_the_session(
    running_session: Starter, tmp_path: Path
) -> None:
    folder = running_session(0, 6.7)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, f"▶ {folder.name} is running, ")
        await pilot.press("q")
        await wait_until(pilot, lambda: app._exit)
    assert app.parting_messages == [
        f"{folder.name} keeps running; to return: gpubench-tui attach {folder.name}"
    ]


async def test_escape_leaves_a_replay(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 0))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "Results", "Diagnosis")
        await pilot.press("escape")
        await wait_until(pilot, lambda: app.screen is monitor(app))
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_escape_returns_from_a_replay_to_the_sessions(tmp_path: Path) -> None:
    shelve(tmp_path, 0)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ShowSessions())
        await wait_for_text(pilot, "Sessions  1", "finished")
        await pilot.press("r")
        await wait_for_text(pilot, "replay", "0:")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, SessionsScreen))
