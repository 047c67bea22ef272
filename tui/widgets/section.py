"""A titled section of a page, as high as its content, which can be focused."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class PageSection(Static, can_focus=True):
    """Shows content that fits the width of the page; the page around it scrolls."""

    def __init__(self, title: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, markup=False, classes="section")
        self.border_title = title
        self._shown = Content()

    def show(self, content: Content) -> None:
        """Show the content, unless it is already shown."""
        if not content.is_same(self._shown):
            self._shown = content
            self.update(content)
