"""Help and the command palette: what they say, and that they say it of what is on the screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from building.recorded import shelve
from building.session_process import Starter
from driving.app import replayed, screen_text, wait_for_text, wait_until, watching
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.command_palette import PaletteProvider
from gpubench_tui.tui.keys import active_keys
from gpubench_tui.tui.requests import ShowComparison, ShowSessions
from gpubench_tui.tui.screens.dialogs.help_texts import help_on, help_texts
from gpubench_tui.tui.screens.session_screen import SessionScreen
from gpubench_tui.tui.widgets.footer import fitting_keys
from gpubench_tui.tui.widgets.preset_list import PresetList
from textual.pilot import Pilot

pytestmark = pytest.mark.slow


async def test_help_names_the_keys_of_the_screen_and_the_words(running_session: Starter) -> None:
    app = watching(running_session(0, 6.7))
    async with app.run_test(size=(80, 60)) as pilot:
        await wait_for_text(pilot, "running")
        await pilot.press("question_mark")
        text = await wait_for_text(pilot, "Terms")
        assert "Stop the session; completed measurements are kept" in text
        assert "consecutive training steps timed together" in text
        await pilot.press("escape")
        await wait_until(pilot, lambda: "Terms" not in screen_text(app))


async def every_panel_is_explained(pilot: Pilot[int], screen: str) -> None:
    chain = list(pilot.app.screen.focus_chain)
    assert chain
    for widget in chain:
        widget.focus(scroll_visible=False)
        await wait_until(pilot, lambda widget=widget: pilot.app.screen.focused is widget)
        title, text = help_on(pilot.app.screen)
        assert text, widget
        assert help_texts()[f"{screen}.{title.lower()}"] == text
    assert help_texts()[screen]


async def test_every_panel_of_the_launch_screen_is_explained(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await every_panel_is_explained(pilot, "launch")


async def test_every_panel_of_the_monitor_and_the_results_is_explained(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 2))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "severe: ", "Evidence")
        await every_panel_is_explained(pilot, "results")
        await pilot.press("m")
        await wait_until(pilot, lambda: isinstance(app.screen, SessionScreen))
        await every_panel_is_explained(pilot, "monitor")


async def test_every_panel_of_the_sessions_and_their_comparison_is_explained(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    folders = [shelve(tmp_path, 2), shelve(tmp_path, 2)]
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ShowSessions())
        await wait_for_text(pilot, "Sessions  2")
        await pilot.press("slash")
        await every_panel_is_explained(pilot, "sessions")
        app.post_message(ShowComparison(folders))
        await wait_for_text(pilot, "1.00x")
        await every_panel_is_explained(pilot, "compare")


async def test_help_begins_with_the_focused_panel_and_its_keys(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 2))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "severe: ", "Evidence")
        await pilot.press("question_mark")
        text = await wait_for_text(pilot, "Keys")
        assert "most severe first" in text
        keys = text[text.index("Keys") :].splitlines()
        assert "Show or hide the evidence" in keys[1]
        assert "esc Close" in text.splitlines()[-1]


async def test_the_palette_has_what_the_keys_do_and_does_it(running_session: Starter) -> None:
    app = watching(running_session(0, 6.7))
    async with app.run_test(size=(80, 36)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("ctrl+p")
        text = await wait_for_text(pilot, "Stop the session; completed", "Next log")
        assert "monitor: " not in text
        await pilot.press(*"results")
        await wait_until(pilot, lambda: "Stop the session" not in screen_text(app))
        await pilot.press("enter")
        await wait_for_text(pilot, "so far", "✓ single")


async def test_the_palette_finds_by_what_is_said_of_a_command(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_text(pilot, "Quickstart")
        await pilot.press("ctrl+p")
        await wait_for_text(pilot, "Run the selected presets")
        await pilot.press(*"colours")
        await wait_until(pilot, lambda: "Run the selected presets" not in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: not app.current_theme.dark)


async def test_the_palette_finds_presets_and_sessions_by_name(tmp_path: Path) -> None:
    folder = shelve(tmp_path, 2, name="nightly")
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(100, 40)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        await pilot.press("ctrl+p")
        await wait_for_text(pilot, "Run the selected presets")
        await pilot.press(*"fsdp")
        await wait_for_text(pilot, "Go to fsdp-vs-ddp")
        await pilot.press("enter")
        await wait_for_text(pilot, "What does sharding a model cost")
        await wait_until(pilot, lambda: app.screen.query_one(PresetList).current == "fsdp-vs-ddp")
        await pilot.press("ctrl+p")
        await wait_for_text(pilot, "Run the selected presets")
        await pilot.press(*"nightly")
        await wait_for_text(pilot, f"Open {folder.name}")
        await pilot.press("enter")
        await wait_for_text(pilot, "dp on 2 devices is")


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("delete", "Delete sessions"),
        ("compare", "Compare sessions"),
        ("doctor", "Doctor"),
        ("rename", "Rename a session"),
        ("report", "Report or export of a session"),
        ("resume", "Resume a session"),
        ("edit", "Edit"),
        ("light", "Theme"),
        ("gpu links", "Doctor"),
    ],
)
async def test_the_palette_offers_first_what_was_typed(typed: str, title: str, tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(100, 24)) as pilot:
        await wait_for_text(pilot, "(estimate)")
        provider = PaletteProvider(app.screen)
        await provider.startup()
        hits = sorted([hit async for hit in provider.search(typed)], key=lambda hit: -hit.score)
        assert str(hits[0].prompt) == title
        assert "Start" not in map(str, (hit.prompt for hit in hits))


async def test_the_palette_leads_from_a_monitor_to_the_presets(running_session: Starter) -> None:
    app = watching(running_session(0, 6.7))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for_text(pilot, "running", "✓ single x1")
        await pilot.press("ctrl+p")
        await wait_for_text(pilot, "Stop the session")
        await pilot.press(*"preset")
        await wait_for_text(pilot, "choose, edit or start one")
        await wait_until(pilot, lambda: "Stop the session" not in screen_text(app))
        await pilot.press("enter")
        await wait_for_text(pilot, "Plan for this machine")


async def test_the_footer_keeps_help_and_the_way_out_in_sight(running_session: Starter) -> None:
    app = watching(running_session(0, 6.7))
    async with app.run_test(size=(120, 24)) as pilot:
        await wait_for_text(pilot, "s Stop", "d Detach", "z Zoom", "^p Commands", "? Help", "q Quit")
        await pilot.resize_terminal(40, 24)
        text = await wait_for_text(pilot, "s Stop", "…")
        assert text.splitlines()[-1].endswith("… ? Help q Quit")


async def test_keys_are_left_out_from_the_end_and_only_when_they_must(running_session: Starter) -> None:
    app = watching(running_session(0, 6.7))
    async with app.run_test(size=(120, 24)) as pilot:
        await wait_for_text(pilot, "s Stop")
        keys = [key for key in active_keys(app.screen) if key.binding.show]
        assert None not in fitting_keys(keys, 120)
        for width in range(20, 120):
            shown = fitting_keys(keys, width)
            names = [key.binding.id if key else "" for key in shown]
            assert names[-2:] == ["app.help", "app.quit"]
            assert ("" in names) == (len([name for name in names if name]) < len(keys))


async def test_a_click_on_the_footer_presses_the_key(tmp_path: Path) -> None:
    app = GpubenchApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await wait_for_text(pilot, "Quickstart", "? Help")
        column = text.splitlines()[-1].index("Help")
        await pilot.click("Footer", offset=(column, 0))
        await wait_for_text(pilot, "Keys")
