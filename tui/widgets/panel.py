"""A titled panel of a screen that scrolls, takes the focus, and redraws only what changed."""

from __future__ import annotations

from typing import ClassVar, Self

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region

from ...engine.text.plain import unbroken
from .lines import Lines


class Panel(VerticalScroll, can_focus=True, inherit_bindings=False):
    """Shows text; long text scrolls by keyboard while the panel has the focus."""

    ALLOW_MAXIMIZE = True
    # Panels do not scroll sideways: left and right belong to the screen.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", show=False),
        Binding("down", "scroll_down", show=False),
        Binding("home", "scroll_home", show=False),
        Binding("end", "scroll_end", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]

    def __init__(self, title: str, *, id: str, classes: str = "") -> None:  # noqa: A002
        self._draws_title = False
        super().__init__(id=id, classes=classes)
        self._title = Content(title)
        self.border_title = self._title
        self._body = Lines()

    def compose(self) -> ComposeResult:
        """Compose the body, which the panel scrolls."""
        yield self._body

    @property
    def content(self) -> Content:
        """Return the text shown."""
        return self._body.content

    @property
    def columns(self) -> int:
        """Return the cells available for a line of text."""
        return max(1, self.scrollable_content_region.width)

    @property
    def lines(self) -> int:
        """Return the number of lines visible at once."""
        return max(1, self.scrollable_content_region.height)

    def show(self, content: Content) -> None:
        """Show the content, unless it is already shown."""
        self._body.show(content)

    def reveal(self, line: int) -> None:
        """Scroll so that the line and the one after it are visible."""
        top = max(0, line - self.lines + 2)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False)

    def set_title(self, *parts: str, warning: str = "") -> None:
        """Set the title to the parts that are not empty, followed by a warning if there is one."""
        title = Content(unbroken(": ".join(filter(None, parts))))
        if warning:
            title = Content.assemble(title, ", ", (warning, "$text-warning"))
        if not title.is_same(self._title):
            self._title = title
            self._draws_title = True
            self.border_title = title
            self._draws_title = False

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Refresh as Textual does, but for a new title only its line, where Textual would redraw all."""
        if self._draws_title:
            regions = (Region(0, 0, self.outer_size.width, 1).translate(-self.content_offset),)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
