"""Links to the sessions that belong to one: its trials, or the session that it is a trial of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from ...engine.record.session_folder import SessionFolder
from ..render.drawing.grid import wrapped
from ..requests import ShowMonitor, ShowResults


class SessionLink(NamedTuple):
    """A session, and what to say of it."""

    lead: str
    """First word or words, as in `tried: `."""
    text: str
    folder: SessionFolder
    goes_on: bool = False
    """Whether it has not ended, so that its monitor is opened."""


class LinkLine(Static, can_focus=True):
    """One link; Enter opens the session."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="links.open", tooltip="Open this session")
    ]

    def __init__(self, link: SessionLink, width: int) -> None:
        super().__init__(markup=False)
        self.link = link
        lines = wrapped(link.text, width, lead=link.lead)
        self.update(lines.stylize("$text-accent", 0, len(link.lead)))

    def on_click(self) -> None:
        """Do what Enter does."""
        self.action_open()

    def action_open(self) -> None:
        """Open the session."""
        folder = self.link.folder
        self.post_message(ShowMonitor(folder) if self.link.goes_on else ShowResults(folder))


class SessionLinks(Vertical):
    """The links, or nothing while there are none."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, classes="section")
        self.display = False
        self._shown: tuple[Sequence[SessionLink], int] = ((), 0)

    def show(self, title: str, links: Sequence[SessionLink], width: int) -> None:
        """Show the links in lines of `width` cells, below a title."""
        if (links, width) == self._shown:
            return
        self._shown = links, width
        focused = next((line.link.folder for line in self.query(LinkLine) if line.has_focus), None)
        self.display = bool(links)
        self.border_title = Content(title)
        self.remove_children()
        lines = [LinkLine(link, width) for link in links]
        self.mount_all(lines)
        for line in lines:
            if line.link.folder == focused:
                line.focus()
