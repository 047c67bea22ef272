"""A titled part of a screen that scrolls, takes the focus, and draws only what changed."""

from __future__ import annotations

from typing import ClassVar, Self

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region

from .lines import Lines


class Panel(VerticalScroll, can_focus=True, inherit_bindings=False):
    """Shows one piece of content; long ones scroll by keyboard while the panel has the focus."""

    ALLOW_MAXIMIZE = True
    # Nothing scrolls sideways: those keys are the screen's.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", show=False),
        Binding("down", "scroll_down", show=False),
        Binding("home", "scroll_home", show=False),
        Binding("end", "scroll_end", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]

    def __init__(self, title: str, *, id: str, classes: str = "") -> None:  # noqa: A002
        self._entitling = False
        super().__init__(id=id, classes=classes)
        self._entitled = Content(title)
        self.border_title = self._entitled
        self._body = Lines()

    def compose(self) -> ComposeResult:
        """One body, which the panel scrolls."""
        yield self._body

    @property
    def content(self) -> Content:
        """What is shown."""
        return self._body.content

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
        self._body.show(content)

    def reveal(self, line: int) -> None:
        """Scroll so that the line is visible, and the next one."""
        top = max(0, line - self.lines + 2)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False)

    def entitle(self, *parts: str, warning: str = "") -> None:
        """Write these parts, those that say something, above the panel, and after them a warning."""
        title = Content(": ".join(filter(None, parts)))
        if warning:
            title = Content.assemble(title, ", ", (warning, "$text-warning"))
        if not title.is_same(self._entitled):
            self._entitled = title
            self._entitling = True
            self.border_title = title
            self._entitling = False

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """As ever, but a new title makes only its line be drawn anew, where Textual would draw all lines."""
        if self._entitling:
            regions = (Region(0, 0, self.outer_size.width, 1).translate(-self.content_offset),)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
