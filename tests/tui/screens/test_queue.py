"""A row of sessions as the monitor follows it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from building import recorded
from building.session_process import Starter
from driving.app import screen_text, wait_for_text, wait_until, watching
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.screens.monitor import MonitorScreen


@pytest.fixture
def row(running_session: Starter) -> Iterator[tuple[SessionFolder, SessionFolder]]:
    """A session that runs and one that waits behind it."""
    first = running_session(2, 6.7)
    second = Shelf(first.path.parent).create("later", recorded.plan(2), recorded.host(2), "")
    first.next.write_text(second.name)
    turn = second.wait_for_turn(None)
    yield first, second
    os.close(turn)


async def test_the_monitor_goes_on_to_the_next_session(row: tuple[SessionFolder, SessionFolder]) -> None:
    first, second = row
    app = watching(first)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("s")
        await wait_for_text(
            pilot, f"Stop {first.name}?", "the next session in the queue starts", "the session queued"
        )
        await pilot.press("y")
        await wait_for_text(pilot, f"waiting  {second.name}", "Next in the queue", "has ended.")
        assert isinstance(app.screen, MonitorScreen)
        assert second.is_waiting()


async def test_a_row_can_be_stopped_as_a_whole(row: tuple[SessionFolder, SessionFolder]) -> None:
    first, second = row
    app = watching(first)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("s")
        await wait_for_text(pilot, "Stop it and the session queued")
        await pilot.press("a")
        await wait_for_text(pilot, "stopped early")
    assert read_session(second.journal).outcome == "stopped"


async def test_one_that_waits_can_be_stopped_in_its_monitor(row: tuple[SessionFolder, SessionFolder]) -> None:
    _, second = row
    app = watching(second)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, f"waiting  {second.name}")
        await pilot.press("s")
        await wait_for_text(pilot, "Yes, stop it")
        await pilot.press("y")
        await wait_until(pilot, lambda: "waiting  " not in screen_text(app))
        await wait_for_text(pilot, "stopped")
    assert not second.goes_on()
