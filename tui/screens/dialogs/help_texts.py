"""The texts of the help dialog, read from `help.md`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from textual.screen import Screen

PANELS_OF = {"replay": "monitor"}
"""Screens that have the panels of another screen."""


@cache
def help_texts() -> dict[str, str]:
    """Return the texts by `screen` or `screen.panel`, and the list of terms by `Terms`."""
    text = Path(__file__).with_name("help.md").read_text(encoding="utf-8")
    sections = (section.partition("\n") for section in re.split("^## ", text, flags=re.MULTILINE)[1:])
    return {title: body.strip() for title, _, body in sections}


def terms() -> list[tuple[str, str]]:
    """Return each term and its meaning."""
    entries = (line.removeprefix("- ").partition(": ") for line in help_texts()["Terms"].split("\n"))
    return [(term, meaning) for term, _, meaning in entries]


def help_on(screen: Screen[Any]) -> tuple[str, str]:
    """Return title and text on the focused panel, or else on the screen; an empty text if there is none."""
    name = screen_name(screen)
    focused = screen.focused
    for node in focused.ancestors_with_self if focused is not None else ():
        text = help_texts().get(f"{PANELS_OF.get(name, name)}.{node.id}")
        if text is not None:
            return str(node.id).capitalize(), text
    return "This screen", help_texts().get(name, "")


def screen_name(screen: Screen[Any]) -> str:
    """Return the name of a screen: `monitor` for the MonitorScreen."""
    return type(screen).__name__.removesuffix("Screen").lower()
