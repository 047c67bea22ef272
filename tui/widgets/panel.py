"""A titled part of a screen that scrolls, takes the focus, and draws only what changed."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static


class Panel(VerticalScroll, can_focus=True):
    """Shows one piece of content; long ones scroll by keyboard while the panel has the focus."""

    ALLOW_MAXIMIZE = True

    def __init__(self, title: str, *, id: str, classes: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._title = title
        self.border_title = title
        self._content = Content()

    def compose(self) -> ComposeResult:
        """One static body."""
        yield Static(markup=False)

    @property
    def content(self) -> Content:
        """What is shown."""
        return self._content

    @property
    def columns(self) -> int:
        """Cells a line of content may have."""
        return max(1, self.scrollable_content_region.width)

    @property
    def lines(self) -> int:
        """Lines that are visible at once."""
        return max(1, self.scrollable_content_region.height)

    def show(self, content: Content) -> None:
        """Show the content; nothing is drawn when it is what is shown already."""
        if not content.is_same(self._content) or not self._content:
            self._content = content
            self.query_one(Static).update(content)

    def reveal(self, line: int) -> None:
        """Scroll so that the line is visible, and the next one."""
        top = max(0, line - self.lines + 2)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False)

    def entitle(self, *parts: str) -> None:
        """Write these parts, those that say something, above the panel."""
        title = ": ".join(filter(None, parts))
        # Setting a title draws the border anew, even when it is the same.
        if title != self._title:
            self._title = title
            self.border_title = Content(title)
