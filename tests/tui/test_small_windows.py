"""Narrow and short windows: everything can still be reached, and where nothing fits, it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from building.recorded import shelve
from driving.app import replayed, screen_text, wait_for_text, wait_until
from gpubench_tui.tui.app import SMALLEST_WINDOW, GpubenchApp
from gpubench_tui.tui.screens.dialogs.too_small import TooSmallScreen
from gpubench_tui.tui.screens.session_screen import SessionScreen
from textual.pilot import Pilot

pytestmark = pytest.mark.slow

SMALL = [(80, 15), (60, 24), (60, 15), tuple(SMALLEST_WINDOW)]


async def all_can_be_reached(pilot: Pilot[int]) -> None:
    """Whatever takes the focus is in sight then, and the last line says how to get help and out."""
    app = pilot.app
    assert screen_text(app).splitlines()[-1].rstrip("▇▆▅▄▃▂▁█ ").endswith("? Help q Quit")
    app.screen.set_focus(None)  # what has it from the start may lie below the headline
    for widget in app.screen.focus_chain:
        widget.focus()
        await wait_until(pilot, lambda widget=widget: widget.region.overlaps(app.screen.region))
        await pilot.pause()
        seen = widget.region.intersection(app.screen.region)
        assert seen.height >= min(widget.region.height, 1 if app.size == SMALLEST_WINDOW else 2), widget


@pytest.mark.parametrize("size", SMALL)
async def test_the_launch_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await wait_for_text(pilot, "Quickstart", "? Help")
        await all_can_be_reached(pilot)


@pytest.mark.parametrize("size", SMALL)
async def test_the_results_the_monitor_and_the_sessions(tmp_path: Path, size: tuple[int, int]) -> None:
    app = replayed(shelve(tmp_path, 8))
    async with app.run_test(size=size) as pilot:
        await wait_for_text(pilot, "dp on 8 devices is", "? Help")
        await all_can_be_reached(pilot)
        await pilot.press("m")
        await wait_until(pilot, lambda: isinstance(app.screen, SessionScreen))
        await all_can_be_reached(pilot)
        await pilot.press("o")
        await wait_for_text(pilot, "Sessions  1")
        await all_can_be_reached(pilot)
        await pilot.press("question_mark")
        await wait_for_text(pilot, "Detail" if size != (80, 15) else "Keys")
        await pilot.press("end")
        await wait_for_text(pilot, "n/a", "esc Close")


async def test_a_window_that_is_too_small_says_so_until_it_is_larger(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(39, 12)) as pilot:
        await wait_for_text(pilot, "This window has 39 x 12", "40 x 10\nare needed")
        await pilot.resize_terminal(80, 9)
        await wait_for_text(pilot, "This window has 80 x 9")
        await pilot.resize_terminal(80, 24)
        await wait_for_text(pilot, "Quickstart", "? Help")
        assert len(app.screen_stack) == 1
        await pilot.press("question_mark")
        await wait_for_text(pilot, "Keys")
        await pilot.resize_terminal(20, 5)
        await wait_until(pilot, lambda: isinstance(app.screen, TooSmallScreen))
        await pilot.press("q")
        await wait_until(pilot, lambda: app._exit)
    assert app.return_value == 0


async def test_it_may_be_resized_at_any_moment(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 8))
    async with app.run_test(size=(120, 40)) as pilot:
        for width, height in ((40, 10), (1, 1), (200, 50), (80, 15), (5, 40), (120, 3), (60, 20), (80, 24)):
            await pilot.resize_terminal(width, height)
        text = await wait_for_text(pilot, "severe: ", "? Help")
        assert all(len(line) <= 80 for line in text.splitlines())
        assert not any(isinstance(screen, TooSmallScreen) for screen in app.screen_stack)
