"""A titled part of a page: as high as what it shows, and a place to jump to."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class PageSection(Static, can_focus=True):
    """Shows one piece of content that fits the page's width; the page around it scrolls."""

    def __init__(self, title: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, markup=False, classes="section")
        self.border_title = title
        self._shown = Content()

    def show(self, content: Content) -> None:
        """Show the content; nothing is drawn when it is what is shown already."""
        if not content.is_same(self._shown):
            self._shown = content
            self.update(content)
