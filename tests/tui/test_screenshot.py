import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from building.recorded import shelve
from driving.app import screen_text, wait_for_text, wait_until, watching
from gpubench_tui.tui.screens.dialogs.help import HelpScreen
from gpubench_tui.tui.screenshot import screenshot_svg
from gpubench_tui.tui.themes import DARK, LIGHT
from textual.theme import Theme

CELL = 12.2
"""Width of a cell in pixels."""


def words(svg: str) -> str:
    """All that a picture says, line by line, each text in its cell."""
    lines: dict[float, str] = {}
    texts = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    for text in sorted(texts, key=lambda text: float(text.attrib["x"])):
        y, cell = float(text.attrib["y"]), round(float(text.attrib["x"]) / CELL)
        lines[y] = lines.get(y, "").ljust(cell) + (text.text or "")
    return "\n".join(line for _, line in sorted(lines.items())).replace("\N{NO-BREAK SPACE}", " ")


async def test_a_picture_is_right_even_where_a_renderer_drops_blanks(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 2))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for_text(pilot, "Diagnosis", "✓ single")
        shown = [line.rstrip() for line in screen_text(app).split("\n")]
        svg = screenshot_svg(app, "x").replace("\N{NO-BREAK SPACE}", " ")
    assert not re.search(r">[^<]*\S {2,}\S[^<]*</text>", svg)  # no text depends on its blanks
    drawn = [line.rstrip() for line in words(svg).split("\n") if line.strip() not in ("", "x")]
    assert drawn == [line for line in shown if line]


async def test_a_picture_shows_the_screen_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    app = watching(shelve(tmp_path, 2))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for_text(pilot, "dp on 2 devices is 1.92x")
        svg = screenshot_svg(app, "1 < 2 \\1 & more")
    assert "dp on 2 devices is 1.92x" in words(svg)
    assert "1 < 2 \\1 & more" in words(svg)
    title = ElementTree.fromstring(svg).find("{http://www.w3.org/2000/svg}title")
    assert title is not None and title.text == "1 < 2 \\1 & more"
    assert "font-face" not in svg and "<!--" not in svg
    assert set(re.findall(r"\w+://[^\"'\s]+", svg)) == {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"url\((.)", svg)) == {"#"}


@pytest.mark.parametrize("theme", [DARK, LIGHT])
async def test_the_window_has_the_colours_of_the_theme(tmp_path: Path, theme: Theme) -> None:
    app = watching(shelve(tmp_path, 2))
    async with app.run_test(size=(80, 24)) as pilot:
        app.theme = theme.name
        await pilot.pause()
        svg = screenshot_svg(app, "x")
    window = ElementTree.fromstring(svg).find("{http://www.w3.org/2000/svg}rect")
    assert window is not None and window.attrib["fill"].lower() == theme.surface
    assert re.findall(r'-title" fill="(#\w+)"', svg.lower()) == [theme.foreground]


async def test_a_plain_terminal_gets_a_plain_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    app = watching(shelve(tmp_path, 2))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for_text(pilot, "dp on 2 devices is 1.92x")
        svg = screenshot_svg(app, "x")
    assert words(svg).isascii()


@pytest.mark.parametrize("terminal", ["xterm-16color", "xterm-256color"])
async def test_a_picture_has_all_colours_however_few_the_terminal_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: str
) -> None:
    monkeypatch.setenv("TERM", terminal)
    monkeypatch.delenv("COLORTERM", raising=False)
    app = watching(shelve(tmp_path, 2))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for_text(pilot, "dp on 2 devices is 1.92x")
        few = app.export_screenshot()
        svg = screenshot_svg(app, "x").lower()
        assert app.export_screenshot() == few
    for color in (DARK.foreground, DARK.background, DARK.panel, DARK.variables["muted"]):
        assert color.lower() in svg
        assert color.lower() not in few.lower()


async def test_ctrl_s_saves_any_screen_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    app = watching(shelve(tmp_path, 2))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await wait_for_text(pilot, "dp on 2 devices is 1.92x")
        await pilot.press("ctrl+s")
        await wait_for_text(pilot, "Saved as")
        await pilot.press("question_mark")
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("ctrl+s")
        await wait_until(pilot, lambda: len(list(Path.cwd().iterdir())) == 2)
    drawn = {path.name.rsplit("-", 2)[0]: words(path.read_text()) for path in Path.cwd().iterdir()}
    assert set(drawn) == {"gpubench-tui-results", "gpubench-tui-help"}
    assert "Saved as" not in drawn["gpubench-tui-results"]
    assert "Keys" in drawn["gpubench-tui-help"]


async def test_a_picture_goes_elsewhere_where_it_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    app = watching(shelve(tmp_path, 2))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await wait_for_text(pilot, "dp on 2 devices is 1.92x")
        await pilot.press("ctrl+s")
        await wait_until(pilot, lambda: bool(list(tmp_path.glob("gpubench-tui-results-*.svg"))))


async def test_a_picture_that_cannot_be_saved_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = watching(shelve(tmp_path, 2))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        monkeypatch.setattr(os, "access", lambda *_: False)
        app.root = tmp_path / "file"
        app.root.write_text("")
        await pilot.press("ctrl+s")
        await wait_for_text(pilot, "The screenshot could not be saved")
