"""The capabilities of the terminal: characters and colours."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from textual.filter import LineFilter

from .ascii import AsciiFilter


def shows_unicode(environment: Mapping[str, str], encoding: str | None) -> bool:
    """Return whether to draw with Unicode: not if the user chose a locale without UTF-8.

    In the C locale Python switches to UTF-8 by itself and sets LC_CTYPE accordingly, which says nothing about
    the terminal. Without any locale the terminal is assumed to show Unicode. `encoding` is that of Python's
    standard output.
    """
    if encoding is None or encoding.lower().replace("-", "") != "utf8":
        return False
    coerced = environment.get("LC_CTYPE") == "C.UTF-8" and environment.get("LANG") in ("C", "POSIX")
    names = ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG")
    chosen = next((environment[name] for name in names if environment.get(name)), None)
    return chosen is None or chosen.lower().replace("-", "").endswith("utf8")


def terminal_shows_unicode() -> bool:
    """Return whether to draw with Unicode on the terminal of this process."""
    return shows_unicode(os.environ, sys.__stdout__.encoding if sys.__stdout__ else None)


def filters_for(unicode: bool, color_system: str | None, no_color: bool = False) -> list[LineFilter]:
    """Return the filters for a terminal of limited capabilities; `color_system` is named as by Rich."""
    filters: list[LineFilter] = [] if unicode else [AsciiFilter()]
    if no_color:
        from .colors import FewColors, without_colors

        filters.append(FewColors(without_colors))
    elif color_system in ("standard", "256"):
        from .colors import FewColors, in_256, in_sixteen

        filters.append(FewColors(in_sixteen if color_system == "standard" else in_256))
    return filters


def ask_terminal_for_size() -> None:
    """Forget the size that a shell may have exported: the app would keep it when the window changes."""
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
