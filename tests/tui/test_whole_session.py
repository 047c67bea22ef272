"""The app by keyboard through a whole session, for real: ranks train, the report is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving.app import screen_text, wait_for_text, wait_until
from gpubench_tui.engine.record.journal import read_journal
from gpubench_tui.engine.record.session import fold
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.data.launch_feed import LaunchOptions
from gpubench_tui.tui.screens.monitor import MonitorScreen
from gpubench_tui.tui.screens.results import ResultsScreen

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_session_left")]

LIGHT = ["workload.model=lenet", "workload.images=512", "workload.batch=16", "measure.window_seconds=0.1"]
SHORT = ["measure.seconds=1", "measure.windows=3", "measure.detail=2", *LIGHT]


async def test_quickstart_from_the_preset_to_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shelf = Shelf(tmp_path / "sessions")
    app = GpubenchApp(shelf.root, LaunchOptions(overrides=SHORT))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "Quickstart", "(estimate)", "--set measure.seconds=1")
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        await wait_for_text(pilot, "running", "▶ ", "CPU")
        await wait_for_text(pilot, "Images/s: live", "Loss over steps", "window ")
        await wait_until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        text = await wait_for_text(pilot, "✓ single", "speedup", "1.00x", "Measured ")
        await pilot.press("e", "m")
        await wait_for_text(pilot, "Saved as")
        await pilot.press("q")
        await wait_until(pilot, lambda: app._exit)
    (folder,) = shelf.all()
    session = fold(read_journal(folder.journal))
    assert session.outcome == "finished"
    assert {run.state for run in session.runs.values()} <= {"measured", "skipped"}, screen_text(app)
    assert all(run.complete_windows for run in session.runs.values() if run.state == "measured")
    assert app.return_value == 0
    report = (tmp_path / f"{folder.name}.md").read_text()
    assert "| single |" in report
    assert "±" in text and "images/s" in report


async def test_a_real_session_is_stopped_by_keyboard(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "sessions")
    app = GpubenchApp(
        shelf.root, LaunchOptions(overrides=["measure.seconds=100", "measure.target=0", *LIGHT])
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "Quickstart", "(estimate)")
        await pilot.press("enter")
        await wait_for_text(pilot, "running", "window 2")
        await pilot.press("s")
        await wait_for_text(pilot, "Yes, stop it")
        await pilot.press("y")
        await wait_for_text(pilot, "stopped early", "■ single")
    (folder,) = shelf.all()
    assert fold(read_journal(folder.journal)).outcome == "stopped"
