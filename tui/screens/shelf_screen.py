"""A screen that reads the shelf of sessions while it is shown."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...engine.analysis.sessions.overview import SessionOverview
from ...engine.record.shelf import Shelf
from ..data.shelf_watch import ShelfContent, watch_shelf
from ..terminal.key_order import FilledLater
from ..widgets.footer import Footer
from ..widgets.row_list import RowList
from ..widgets.session_browser import SessionBrowser
from ..workers import in_thread
from .base import ClosedOnce


class ShelfScreen(ClosedOnce[None], FilledLater):
    """Shows the list of sessions as a thread reads it, once a second, and a message below it."""

    class Seen(Message):
        """The thread has read the shelf."""

        def __init__(self, content: ShelfContent) -> None:
            super().__init__()
            self.content = content

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self._shelf = shelf
        self._content: ShelfContent | None = None
        self._visible_names: Sequence[str] = ()
        self._leave = threading.Event()

    def compose(self) -> ComposeResult:
        """Compose the screen; nothing here waits for the shelf."""
        yield SessionBrowser(self._shelf.root, id="browser")
        yield Static(id="message", markup=False)
        yield Footer()

    @property
    def _browser(self) -> SessionBrowser:
        return self.query_one(SessionBrowser)

    @property
    def is_filled(self) -> bool:
        """Return whether the sessions are known, which the keys act on."""
        return self._content is not None

    # Reading the shelf

    def on_screen_resume(self) -> None:
        """Start reading the shelf."""
        self._read_again()

    def on_screen_suspend(self) -> None:
        """Stop reading while the screen is hidden."""
        self._leave.set()

    def on_unmount(self) -> None:
        """Stop the thread."""
        self._leave.set()

    def _read_again(self) -> None:
        self._leave.set()
        self._leave = threading.Event()
        self._read(self._leave)

    @in_thread("reading the sessions", feed=True)
    def _read(self, leave: threading.Event) -> None:
        for content in watch_shelf(self._shelf, lambda: self._visible_names, leave):
            # A list read before a session was renamed is out of date.
            if not leave.is_set():
                self.post_message(self.Seen(content))

    @on(Seen)
    def _seen(self, message: Seen) -> None:
        if message.content != self._content:
            self._content = message.content
            self._browser.show(message.content)
            self.refresh_bindings()

    @property
    def _entries(self) -> Sequence[SessionOverview]:
        return self._content.entries if self._content is not None else ()

    @property
    def _highlighted(self) -> SessionOverview | None:
        """Return the highlighted session; say why if that one cannot be read."""
        if (unreadable := self._browser.highlighted_unreadable) is not None:
            self._show_message(f"{unreadable.name}: {unreadable}.")
        return self._browser.highlighted

    def on_resize(self) -> None:
        """Draw to the new width."""
        self.call_after_refresh(self._browser.redraw)

    @on(RowList.Highlighted)
    def _moved(self, message: RowList.Highlighted) -> None:
        self._visible_names = self._browser.visible_names
        if message.by_user:
            self._show_message("")

    def _show_message(self, sentence: str, style: str = "$text-warning") -> None:
        message = self.query_one("#message", Static)
        message.display = bool(sentence)
        if sentence:
            message.update(Content.styled(sentence, style))
