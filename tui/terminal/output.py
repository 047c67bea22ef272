"""What the terminal shows, cell by cell, so that only the cells which change are sent to it.

Textual sends the whole lines of every widget that is drawn anew: over a slow line, fifty times what differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, RenderableType
from textual._compositor import CompositorUpdate
from textual._path import CSSPathType
from textual.app import App
from textual.events import Resize
from textual.screen import Screen

_PIECES = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|([^\x00-\x1f\x7f]+)|\n|(.)", re.DOTALL)
"""What updates are made of: cursor positions, styles, text; anything else is not known here."""
_SHORTEST_GAP = 5
"""So many cells that stay are worth the bytes that skip them."""

_Cell = tuple[str, str]
"""Character and style, the latter as the numbers of its escape sequence."""


class QuietApp(App[int]):
    """An app that sends the terminal only what changes."""

    def __init__(self, css_path: CSSPathType) -> None:
        super().__init__(css_path=css_path)
        self._shown = Shown()
        self._displayed: Screen[object] | None = None

    def on_resize(self, event: Resize) -> None:
        """A terminal of a new size has lost cells; one that the shell gives back, of the same size, all."""
        self._shown.forget()
        if event.size == self.screen.size:
            self.screen.refresh()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        # Textual has no public place where an update can be made smaller before it is sent.
        if isinstance(renderable, CompositorUpdate):
            if screen is not self._displayed:  # a person's way to get rid of what others wrote over it
                self._displayed = screen
                self._shown.forget()
            renderable = _Changes(self._shown, renderable)
        super()._display(screen, renderable)


class Shown:
    """The cells that the terminal shows; those it has not been sent are unknown."""

    def __init__(self) -> None:
        self._rows: dict[int, list[_Cell | None]] = {}

    def forget(self) -> None:
        """All cells are unknown again."""
        self._rows.clear()

    def changes(self, update: str) -> str:
        """What must be sent of an update's escape sequences, given that all before it was."""
        sender = _Sender()
        row = column = 0
        style = ""
        for piece in _PIECES.finditer(update):
            to_row, to_column, to_style, text, unknown = piece.groups()
            if text is not None:
                self._write(sender, row, column, text, style)
                column += cell_len(text)
            elif to_style is not None:
                style = "" if to_style == "0" else to_style
            elif to_row is not None:
                row, column = int(to_row), int(to_column)
            elif unknown is not None:
                self.forget()
                return update
        return sender.sent()

    def _write(self, sender: _Sender, row: int, column: int, text: str, style: str) -> None:
        cells = self._rows.setdefault(row, [])
        end = column + cell_len(text)
        cells.extend([None] * (end - len(cells)))
        if end - column != len(text):  # wide characters, or such that take no cell
            cells[column:end] = [None] * (end - column)
            sender.send(row, column, text, style)
            return
        fresh = [(character, style) for character in text]
        shown = cells[column:end]
        if shown == fresh:
            return
        cells[column:end] = fresh
        for first, last in _differing(shown, fresh):
            sender.send(row, column + first, text[first:last], style)


class _Changes(CompositorUpdate):
    """An update of which only the changes are rendered, at the moment when they are sent."""

    def __init__(self, shown: Shown, update: CompositorUpdate) -> None:
        self._shown, self._update = shown, update

    def render_segments(self, console: Console) -> str:
        return self._shown.changes(self._update.render_segments(console))


class _Sender:
    """Puts escape sequences together, with no more of them than the terminal's cursor and style need."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._row = self._column = 0
        self._style = ""

    def send(self, row: int, column: int, text: str, style: str) -> None:
        """Write a text somewhere."""
        if row != self._row or column < self._column:
            self._parts.append(f"\x1b[{row};{column}H")
        elif column > self._column:
            self._parts.append(f"\x1b[{column - self._column}C")
        if style != self._style:
            self._parts.append(f"\x1b[{'0;' if self._style and style else ''}{style or '0'}m")
        self._parts.append(text)
        self._row, self._column, self._style = row, column + cell_len(text), style

    def sent(self) -> str:
        """All that was put together."""
        if self._style:
            self._parts.append("\x1b[0m")
        return "".join(self._parts)


def _differing(shown: list[_Cell | None], fresh: list[_Cell]) -> Iterator[tuple[int, int]]:
    """From where to where two lines differ; stretches with little between them count as one."""
    places = [place for place, pair in enumerate(zip(shown, fresh, strict=True)) if pair[0] != pair[1]]
    first = last = places[0]
    for place in places:
        if place - last > _SHORTEST_GAP:
            yield first, last + 1
            first = place
        last = place
    yield first, last + 1
