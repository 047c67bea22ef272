"""What is drawn can be read: in both themes, without colours, in plain ASCII."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from building.recorded import shelve
from driving.app import replayed, screen_text, wait_for_text, wait_until
from gpubench_tui.tui.app import GpubenchApp, InitialSession
from gpubench_tui.tui.config import Config
from gpubench_tui.tui.themes import DARK, LIGHT
from rich.style import Style
from textual.color import Color
from textual.theme import Theme

HUES = ("primary", "secondary", "accent", "success", "warning", "error")
LEAST_CONTRAST = 4.5
"""What the Web Content Accessibility Guidelines ask of text."""


def contrast(one: Color, other: Color) -> float:
    def luminance(color: Color) -> float:
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in color.normalized]
        return sum(share * v for share, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_all_text_stands_out_from_what_is_behind_it(theme: Theme) -> None:
    app = GpubenchApp(None)
    app.theme = theme.name
    colors = {
        name: Color.parse(value) for name, value in app.get_css_variables().items() if value.startswith("#")
    }
    colors["highlight"] = colors["background"].blend(colors["primary"], 0.22)
    pairs = [(f"text-{hue}", f"{hue}-muted") for hue in HUES]
    for text in ("foreground", "muted", *(f"text-{hue}" for hue in HUES)):
        pairs += [(text, behind) for behind in ("background", "surface", "panel", "highlight")]
    for text, behind in pairs:
        found = contrast(colors[text], colors[behind])
        assert found >= LEAST_CONTRAST, f"{text} on {behind}: {found:.1f}"


def drawn_styles(app: GpubenchApp) -> Iterator[tuple[str, Style]]:
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            yield segment.text, segment.style or Style()


@pytest.mark.parametrize("dark", [True, False])
async def test_without_colours_signs_and_swapped_colours_tell_what_is_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dark: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    config = Config(theme="dark" if dark else "light")
    app = GpubenchApp(tmp_path, initial=InitialSession(shelve(tmp_path, 2, fail="04"), 1e6), config=config)
    async with app.run_test(size=(120, 40)) as pilot:
        text = await wait_for_text(pilot, "severe: ", "Evidence")
        assert "✓ single" in text and "✗ ddp" in text
        styles = list(drawn_styles(app))
        for drawn, style in styles:
            assert all(color is None or color.is_default for color in (style.color, style.bgcolor)), drawn
        swapped = "".join(drawn for drawn, style in styles if style.reverse)
        assert "Scaling" in swapped and "severe: " in swapped, "the headline, and the line in focus"
        assert "Results" not in swapped and "single" not in swapped.partition("severe: ")[0]


async def test_the_focused_panel_is_told_by_more_than_its_colour(tmp_path: Path) -> None:
    app = replayed(shelve(tmp_path, 2))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "severe: ", "Evidence")
        await pilot.press("m", "tab")
        await wait_until(pilot, lambda: app.screen.focused is not None)
        await pilot.pause()
        (line,) = (
            strip for strip in app.screen._compositor.render_strips() if strip.text.startswith("─Scaling")
        )
        bold = "".join(s.text for s in line if s.style is not None and s.style.bold)
        assert bold.startswith("Scaling") and "Now" not in bold


@pytest.mark.slow
async def test_every_character_fits_a_plain_terminal(tmp_path: Path) -> None:
    config = Config(ascii=True)
    app = GpubenchApp(tmp_path, initial=InitialSession(shelve(tmp_path, 2, fail="04"), 1e6), config=config)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for_text(pilot, "severe: ", "Evidence")
        await wait_for_text(pilot, "enter Evidence")
        for key in ("tab", "ctrl+p", "escape", "question_mark", "escape", "m", "z", "z", "q"):
            assert screen_text(app).isascii(), key
            await pilot.press(key)
            await pilot.pause()


@pytest.mark.slow
async def test_the_theme_of_the_last_time_returns_unless_the_config_file_sets_one(tmp_path: Path) -> None:
    async def switched(config: Config) -> tuple[bool, bool]:
        """Whether it opens dark, and whether it is dark after F2."""
        app = GpubenchApp(tmp_path, config=config)
        async with app.run_test(size=(80, 24)) as pilot:
            before = app.current_theme.dark
            await pilot.press("f2")
            await wait_until(pilot, lambda: app.current_theme.dark != before)
            return before, app.current_theme.dark

    assert await switched(Config()) == (True, False)
    assert await switched(Config(theme="dark")) == (True, False)
    assert await switched(Config(theme="light")) == (False, True)
    assert await switched(Config()) == (False, True)
    assert await switched(Config()) == (True, False)
