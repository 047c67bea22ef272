"""Lines to choose one from: a move of the highlight or a change of a line redraws those lines alone."""

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

POINTER = ">"
"""Before the row that is highlighted: its background alone would be lost on a terminal without colours."""

Row = Sequence[tuple[str, str]]
"""Texts and their styles, one after the other."""


class RowList(ScrollView, can_focus=True):
    """Rows, each of one line and with a key of its own, one of them highlighted."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row-list--row", "row-list--highlighted"}
    BINDINGS: ClassVar[list[BindingType]] = OptionList.BINDINGS

    class Highlighted(Message):
        """Another row is highlighted, or others are in sight; `by_user`: not because the rows changed."""

        def __init__(self, by_user: bool) -> None:
            super().__init__()
            self.by_user = by_user

    class RowChosen(Message):
        """The user chose the row that is highlighted."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._keys: list[str] = []
        self._rows: list[Row] = []
        self._at = 0

    @property
    def highlighted(self) -> str | None:
        """Key of the row that is highlighted; None when there are no rows."""
        return self._keys[self._at] if self._keys else None

    @property
    def visible_keys(self) -> list[str]:
        """Keys of the rows that a person sees."""
        top = round(self.scroll_y)
        return self._keys[top : top + max(1, self.size.height)]

    def show(self, rows: Sequence[tuple[str, Row]]) -> None:
        """Show these rows by their keys; the highlight stays on its key, or where it is when that is gone."""
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
        """Move the highlight to the row of that key, if there is one."""
        if key in self._keys:
            self._move_to(self._keys.index(key))

    def render_line(self, y: int) -> Strip:
        """A line of what is in sight."""
        index, width = y + round(self.scroll_y), self.scrollable_content_region.width
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        of_row = ("row-list--row", "row-list--highlighted")[: 2 if index == self._at else 1]
        pointer = POINTER if index == self._at else " "
        content = Content.assemble(pointer, *self._rows[index]).truncate(width, ellipsis=True)
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
        """Keep the highlight in sight."""
        self.virtual_size = Size(0, len(self._rows))
        self._reveal()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell that other rows are in sight."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Highlighted(by_user=True))

    def on_click(self, event: events.Click) -> None:
        """Highlight the row that is clicked; choose the one that is highlighted already."""
        index = event.y + round(self.scroll_y)
        if index == self._at:
            self.action_select()
        elif index < len(self._rows):
            self._move_to(index)

    def action_select(self) -> None:
        """Choose the row that is highlighted."""
        if self._keys:
            self.post_message(self.RowChosen())

    def action_cursor_up(self) -> None:
        """To the row above."""
        self._move_to(self._at - 1)

    def action_cursor_down(self) -> None:
        """To the row below."""
        self._move_to(self._at + 1)

    def action_page_up(self) -> None:
        """A screenful up."""
        self._move_to(self._at - max(1, self.size.height - 1))

    def action_page_down(self) -> None:
        """A screenful down."""
        self._move_to(self._at + max(1, self.size.height - 1))

    def action_first(self) -> None:
        """To the first row."""
        self._move_to(0)

    def action_last(self) -> None:
        """To the last row."""
        self._move_to(len(self._keys) - 1)
