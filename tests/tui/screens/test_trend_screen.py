"""The trend of a preset, from the list of sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
from building.dated import DDP, SINGLE, shelve_dated
from building.sessions import HOST
from driving.app import SIZES, wait_for_text, wait_until
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.requests import ShowSessions
from gpubench_tui.tui.screens.sessions import SessionsScreen
from gpubench_tui.tui.screens.trend import TrendScreen
from msgspec.structs import replace

pytestmark = pytest.mark.slow

NEWER = replace(HOST, software=replace(HOST.software, torch="2.14.0", driver="590.1"))


def fill(root: Path) -> None:
    for day, factor in enumerate((1.0, 1.02, 1.4, 1.38)):
        shelve_dated(Shelf(root), 10 * day, factor, NEWER if day >= 2 else HOST, "demo", SINGLE, DDP)


@pytest.mark.parametrize("size", SIZES)
async def test_the_trend_of_the_highlighted_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=size, notifications=True) as pilot:
        app.post_message(ShowSessions())
        await wait_for_text(pilot, "Sessions  4", "t Trend")
        await pilot.press("t")
        text = await wait_for_text(pilot, "Trend  demo on bench: 4 sessions", "newest against first: 0.72x")
        first_plot = text[text.index("│") : text.index("vs previous")]
        assert "•" in first_plot and "a" in first_plot  # the letter of the change
        assert "11-" in first_plot and "12-" in first_plot  # dates
        assert all(len(line) <= size[0] for line in text.splitlines())
        await pilot.press("end")
        await wait_for_text(pilot, "a: torch: 2.14.0 against 2.13.0; driver: 590.1 against not recorded")
        await pilot.press("e")
        await wait_for_text(pilot, "trend-of-demo-on-bench.md")
        assert (tmp_path / "trend-of-demo-on-bench.md").read_text().startswith("# demo on bench: 4 sessions")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, SessionsScreen))


async def test_sessions_that_are_gone_are_said_to_be(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await app.push_screen(TrendScreen(Shelf(tmp_path), "demo", "bench"))
        await wait_for_text(pilot, "No session of demo on bench is left.")
        await pilot.press("e", "c", "escape")
        await wait_until(pilot, lambda: not isinstance(app.screen, TrendScreen))
