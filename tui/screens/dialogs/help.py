"""Help dialog: the focused panel, the keys of the screen below, and the terms used."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from ...keys import active_keys
from ...widgets.footer import Footer
from ..base import ClosedOnce
from .help_texts import help_on, terms

BOX_WIDTH, BOX_FRAME, TERM_WIDTH = 72, 7, 10
"""Widths in cells: the box (as in app.tcss), its border, padding and scrollbar, the column of terms."""


class HelpScreen(ModalScreen[None], ClosedOnce[None]):
    """Shows help on the screen below until a key closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,f1", "close", "Close", id="help.close", tooltip="Back to the screen")
    ]

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self._below = screen

    def compose(self) -> ComposeResult:
        """Compose one box that scrolls, and the keys that close it."""
        with VerticalScroll(classes="box"):
            title, text = help_on(self._below)
            if text:
                yield Static(_paragraph(title, text, self._width))
            yield Static(_section("Keys", self._keys(), self._width))
            yield Static(_section("Terms", terms(), self._width))
        yield Footer()

    @property
    def _width(self) -> int:
        """Return the cells inside the box."""
        return min(BOX_WIDTH, int(self.app.size.width * 0.96)) - BOX_FRAME

    def _keys(self) -> list[tuple[str, str]]:
        """Return the keys of the screen below and their meanings, those of the focused panel first."""
        active = active_keys(self._below)
        keys = [(" ".join(key.shown), key.binding.tooltip) for key in active]
        if any(key.binding.key == "tab" for key in active):
            return keys
        return [*keys, ("tab", "Next panel; the arrow keys scroll in it")]

    def action_close(self) -> None:
        """Close the help."""
        self.dismiss()


def _paragraph(title: str, text: str, width: int) -> Content:
    lines = textwrap.wrap(text, max(10, width))
    return Content("\n").join([Content.styled(title, "bold"), *map(Content, lines), Content("")])


def _section(title: str, entries: Iterable[tuple[str, str]], width: int) -> Content:
    lines = [Content.styled(title, "bold")]
    for term, meaning in entries:
        first, *rest = textwrap.wrap(meaning, max(10, width - TERM_WIDTH - 2))
        lines.append(Content.assemble((f"{term:>{TERM_WIDTH}}  ", "$text-accent"), first))
        lines += [Content(" " * (TERM_WIDTH + 2) + line) for line in rest]
    return Content("\n").join([*lines, Content("")])
