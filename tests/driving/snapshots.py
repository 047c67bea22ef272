"""Screens as text files: one is compared with what it was, and written anew where UPDATE_SNAPSHOTS is set.

UPDATE_SNAPSHOTS=1 python -m pytest tests/tui/test_snapshots.py
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from gpubench_tui.tui.screens.session_screen import SessionScreen
from rich.style import Style
from textual.app import App
from textual.pilot import Pilot
from textual.scrollbar import ScrollBar

from .app import SIZES, screen_text, wait_for_text

FOLDER = Path(__file__).parents[1] / "tui" / "snapshots"
COMPARED: set[Path] = set()
"""The files that tests of this process have asked for."""
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


async def check_sizes(
    pilot: Pilot[int], name: str, *texts: str, sizes: Sequence[tuple[int, int]] = SIZES
) -> None:
    """Compare the screen in each size; these texts stand on it once all is drawn."""
    for width, height in sizes:
        await pilot.resize_terminal(width, height)
        await wait_for_text(pilot, *texts)
        text = await settled(pilot)
        check(f"{name}-{width}x{height}", without_thumbs(pilot.app, text))


async def settled(pilot: Pilot[int]) -> str:
    """The screen once it stays as it is."""
    before = ""
    while before != (text := screen_text(pilot.app)):
        before = text
        for screen in pilot.app.screen_stack:
            if isinstance(screen, SessionScreen):  # which would be drawn to its new size a moment later
                screen.redraw()
        await pilot.pause(0.1)
    return text


def without_thumbs(app: App[int], text: str) -> str:
    """The text without what its scrollbars tell of the lines that are out of sight."""
    lines = [list(line) for line in text.split("\n")]
    for widget, (region, clip) in app.screen._compositor.visible_widgets.items():
        if isinstance(widget, ScrollBar):
            left, top, width, height = region.intersection(clip)
            for x, y in product(range(left, left + width), range(top, top + height)):
                if x < len(lines[y]):
                    lines[y][x] = " "
    return "\n".join(map("".join, lines))


async def check_colors(pilot: Pilot[int], name: str) -> None:
    """Compare the dark and the light colours of the screen: a letter a cell, and what the letters mean."""
    text = await settled(pilot)
    dark = styles(pilot.app)
    await pilot.press("f2")
    compare(text, await settled(pilot), "dark", "light")
    light = styles(pilot.app)
    await pilot.press("f2")
    letters: dict[tuple[str, str], str] = {}
    lines = [
        "".join(letters.setdefault(pair, LETTERS[len(letters)]) for pair in zip(*pairs, strict=True))
        for pairs in zip(dark, light, strict=True)
    ]
    legend = [f"{letter}  {ours:<32} {theirs}" for (ours, theirs), letter in letters.items()]
    check(f"{name}-colors", "\n".join([*legend, "", *lines]))


def styles(app: App[int]) -> list[list[str]]:
    """For each line of the screen, each cell's style in words."""
    strips = app.screen._compositor.render_strips()
    return [[word for text, style, _ in strip for word in [_words(style)] * len(text)] for strip in strips]


def _words(style: Style | None) -> str:
    if style is None:
        return "plain"
    color, background = (part.name if part is not None else "-" for part in (style.color, style.bgcolor))
    attributes = [name for name in ("bold", "dim", "italic", "underline", "reverse") if getattr(style, name)]
    return " ".join([color, "on", background, *attributes])


def check(name: str, text: str) -> None:
    """Compare a text with the file of that name; fail with their difference."""
    file = FOLDER / f"{name}.txt"
    COMPARED.add(file)
    text = "\n".join(line.rstrip() for line in text.split("\n")) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text)
        return
    compare(file.read_text() if file.exists() else "", text, f"{file.name} (see driving/snapshots.py)", "now")


def check_none_is_left() -> None:
    """Fail for files that no test asked for; delete them where snapshots are written anew."""
    left = set(FOLDER.iterdir()) - COMPARED
    if os.environ.get("UPDATE_SNAPSHOTS"):
        for file in left:
            file.unlink()
        return
    assert not left, f"no test reads {sorted(file.name for file in left)}: delete them"


def compare(before: str, after: str, *names: str) -> None:
    """Fail with the lines in which two screens differ."""
    if before != after:
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *names, n=0, lineterm="")
        pytest.fail("\n".join(lines), pytrace=False)
