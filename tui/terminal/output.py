"""Differential output: sends the terminal only the cells that change.

Textual sends whole lines of every widget that is drawn again: fifty times as many bytes, over a slow line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from rich.cells import cell_len
from rich.console import Console
from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen

from .textual_internals import CompositorUpdate, FilteringApp, composed_size

_TOKENS = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|([^\x00-\x1f\x7f]+)|\n|(.)", re.DOTALL)
"""The parts of an update: cursor position, style, text, line break; anything else is unknown."""
_SHORTEST_GAP = 5
"""Unchanged cells in a row that are worth the bytes of an escape sequence to skip them."""

_Cell = tuple[str, str]
"""Character and style, the latter as the numbers of its escape sequence."""


class DifferentialApp(FilteringApp):
    """An app that sends the terminal only what changes."""

    def __init__(self, css_path: list[str | PurePath]) -> None:
        super().__init__(css_path=css_path)
        self._cells = ScreenCells()
        self._sent: tuple[Screen[object], Size] | None = None
        """The screen that was sent last, and the size that it was laid out for."""

    def on_resize(self, event: Resize) -> None:
        """Redraw: a resized terminal has lost cells, and one that returns from the shell has lost all."""
        self._cells.invalidate()
        if event.size == self.screen.size:
            self.screen.refresh()

    def filter_update(self, screen: Screen[object], update: CompositorUpdate) -> CompositorUpdate:
        """Reduce an update to the cells that change; another screen is sent whole, as is one of a new size.

        Going to another screen and back thus repairs what another program wrote over the app. So does a new
        size: what was drawn for the old one after the terminal was resized may have left its lines.
        """
        if self._sent != (screen, size := composed_size(screen)):
            self._sent = screen, size
            self._cells.invalidate()
        return _DifferentialUpdate(self._cells, update)


class ScreenCells:
    """The cells that the terminal shows; a cell that was never sent is unknown."""

    def __init__(self) -> None:
        self._rows: dict[int, list[_Cell | None]] = {}

    def invalidate(self) -> None:
        """Treat all cells as unknown."""
        self._rows.clear()

    def diff(self, update: str) -> str:
        """Apply an update, as escape sequences, and return the shortest one with the same effect.

        An update with sequences unknown here is returned as it is.
        """
        writer = _EscapeWriter()
        row = column = 0
        style = ""
        for token in _TOKENS.finditer(update):
            to_row, to_column, to_style, text, unknown = token.groups()
            if text is not None:
                self._write(writer, row, column, text, style)
                column += cell_len(text)
            elif to_style is not None:
                style = "" if to_style == "0" else to_style
            elif to_row is not None:
                row, column = int(to_row), int(to_column)
            elif unknown is not None:
                self.invalidate()
                return update
        return writer.written()

    def _write(self, writer: _EscapeWriter, row: int, column: int, text: str, style: str) -> None:
        cells = self._rows.setdefault(row, [])
        end = column + cell_len(text)
        cells.extend([None] * (end - len(cells)))
        if end - column != len(text):  # wide or zero-width characters
            cells[column:end] = [None] * (end - column)
            writer.write(row, column, text, style)
            return
        new = [(character, style) for character in text]
        old = cells[column:end]
        if old == new:
            return
        cells[column:end] = new
        for first, last in _changed_ranges(old, new):
            writer.write(row, column + first, text[first:last], style)


class _DifferentialUpdate(CompositorUpdate):
    """An update that is reduced when it is rendered, which is the moment when it is sent."""

    def __init__(self, cells: ScreenCells, update: CompositorUpdate) -> None:
        self._cells, self._update = cells, update

    def render_segments(self, console: Console) -> str:
        return self._cells.diff(self._update.render_segments(console))


class _EscapeWriter:
    """Writes text with no more escape sequences than cursor and style need."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._row = self._column = 0
        self._style = ""

    def write(self, row: int, column: int, text: str, style: str) -> None:
        """Write styled text at a position."""
        if row != self._row or column < self._column:
            self._parts.append(f"\x1b[{row};{column}H")
        elif column > self._column:
            self._parts.append(f"\x1b[{column - self._column}C")
        if style != self._style:
            self._parts.append(f"\x1b[{'0;' if self._style and style else ''}{style or '0'}m")
        self._parts.append(text)
        self._row, self._column, self._style = row, column + cell_len(text), style

    def written(self) -> str:
        """Return everything written, with the style reset."""
        if self._style:
            self._parts.append("\x1b[0m")
        return "".join(self._parts)


def _changed_ranges(old: list[_Cell | None], new: list[_Cell]) -> Iterator[tuple[int, int]]:
    """Yield start and end of the ranges that differ; ranges with a short gap between them are merged."""
    changed = [index for index, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]]
    first = last = changed[0]
    for index in changed:
        if index - last > _SHORTEST_GAP:
            yield first, last + 1
            first = index
        last = index
    yield first, last + 1
