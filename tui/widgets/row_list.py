"""A list of rows of which only those that change are redrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual
from textual.widgets import OptionList

from ..render.drawing.grid import cut_line

POINTER = ">"
"""Sign before the highlighted row, whose background is lost on a terminal without colours."""

ListRow = Sequence[tuple[str, str]]
"""Texts with their styles, left to right."""


class RowList(ScrollView, can_focus=True):
    """A list of rows of one line, each identified by a key; one of them is highlighted."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row-list--row", "row-list--highlighted"}
    BINDINGS: ClassVar[list[BindingType]] = OptionList.BINDINGS

    class Highlighted(Message):
        """Another row is highlighted, or others are visible.

        `by_user`: whether the user did it, rather than a change of the rows.
        """

        def __init__(self, by_user: bool) -> None:
            super().__init__()
            self.by_user = by_user

    class RowChosen(Message):
        """The user has chosen the highlighted row."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._keys: list[str] = []
        self._rows: list[ListRow] = []
        self._at = 0

    @property
    def highlighted(self) -> str | None:
        """Return the key of the highlighted row; None if there are no rows."""
        return self._keys[self._at] if self._keys else None

    @property
    def visible_keys(self) -> list[str]:
        """Return the keys of the visible rows."""
        top = round(self.scroll_y)
        return self._keys[top : top + max(1, self.size.height)]

    def show(self, rows: Sequence[tuple[str, ListRow]]) -> None:
        """Show rows by their keys; the highlight stays on its key, or on its line if the key is gone."""
        before, keys = self._rows, [key for key, _ in rows]
        self._rows = [row for _, row in rows]
        if keys == self._keys:
            for index, (old, new) in enumerate(zip(before, self._rows, strict=True)):
                if new != old:
                    self.refresh_line(index)
            return
        at = keys.index(self.highlighted) if self.highlighted in keys else min(self._at, len(keys) - 1)
        self._keys, self._at = keys, max(0, at)
        self.virtual_size = Size(0, len(rows))
        self.refresh()
        self._reveal()
        self.post_message(self.Highlighted(by_user=False))

    def highlight(self, key: str) -> None:
        """Highlight the row of that key, if there is one."""
        if key in self._keys:
            self._move_to(self._keys.index(key))

    def render_line(self, y: int) -> Strip:
        """Return a visible line."""
        index, width = y + round(self.scroll_y), self.scrollable_content_region.width
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        of_row = ("row-list--row", "row-list--highlighted")[: 2 if index == self._at else 1]
        pointer = POINTER if index == self._at else " "
        content = cut_line(Content.assemble(pointer, *self._rows[index]), width)
        return Visual.to_strips(self, content, width, 1, self.get_visual_style(*of_row), pad=True)[0]

    def _move_to(self, index: int) -> None:
        index = max(0, min(index, len(self._keys) - 1))
        if index != self._at:
            self.refresh_line(self._at)
            self.refresh_line(index)
            self._at = index
            self._reveal()
            self.post_message(self.Highlighted(by_user=True))

    def _reveal(self) -> None:
        self.scroll_to_region(Region(0, self._at, 1, 1), animate=False, force=True, immediate=True)

    def on_resize(self) -> None:
        """Keep the highlighted row visible."""
        self.virtual_size = Size(0, len(self._rows))
        self._reveal()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Report that other rows are visible."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Highlighted(by_user=True))

    def on_click(self, event: events.Click) -> None:
        """Highlight the clicked row, or choose it if it is already highlighted."""
        index = event.y + round(self.scroll_y)
        if index == self._at:
            self.action_select()
        elif index < len(self._rows):
            self._move_to(index)

    def action_select(self) -> None:
        """Choose the highlighted row."""
        if self._keys:
            self.post_message(self.RowChosen())

    def action_cursor_up(self) -> None:
        """Move to the row above."""
        self._move_to(self._at - 1)

    def action_cursor_down(self) -> None:
        """Move to the row below."""
        self._move_to(self._at + 1)

    def action_page_up(self) -> None:
        """Move a screenful up."""
        self._move_to(self._at - max(1, self.size.height - 1))

    def action_page_down(self) -> None:
        """Move a screenful down."""
        self._move_to(self._at + max(1, self.size.height - 1))

    def action_first(self) -> None:
        """Move to the first row."""
        self._move_to(0)

    def action_last(self) -> None:
        """Move to the last row."""
        self._move_to(len(self._keys) - 1)
