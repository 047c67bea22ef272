"""The trend of a preset on one machine: its runs over dates, and what changed between sessions."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...engine.analysis.sessions.trend import Trend, read_trend
from ...engine.analysis.sessions.trend_report import render_trend, trend_title
from ...engine.record.shelf import Shelf
from ..render.trend import trend_page
from ..widgets.footer import Footer
from ..workers import in_thread
from .page_screen import MarkdownPage, PageScreen


class TrendScreen(PageScreen):
    """Reads the sessions of a preset in a thread, then shows a page that scrolls."""

    CSS_PATH = "trend.tcss"
    AUTO_FOCUS = "#trend"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "Export", id="trend.export", tooltip="Save the trend as Markdown"),
        Binding("c", "copy", "Copy", id="trend.copy", tooltip="Copy the trend as Markdown to the clipboard"),
        Binding("escape", "back", "Back", id="trend.back", tooltip="Back to the previous screen"),
    ]

    class Found(Message):
        """The trend has been found; None if no session is left."""

        def __init__(self, trend: Trend | None) -> None:
            super().__init__()
            self.trend = trend

    def __init__(self, shelf: Shelf, preset: str, host: str, unicode: bool = True) -> None:
        super().__init__()
        self._shelf, self._preset, self._host = shelf, preset, host
        self._unicode = unicode
        self._trend: Trend | None = None

    def compose(self) -> ComposeResult:
        """Compose the headline and the page."""
        yield Static(Content.styled("Trend", "bold"), id="headline", classes="headline", markup=False)
        with VerticalScroll(id="trend"):
            yield Static(Content.styled("reading the sessions", "$muted"), id="page", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Read the sessions."""
        self._read()

    @in_thread("reading the sessions")
    def _read(self) -> None:
        self.post_message(self.Found(read_trend(self._shelf, self._preset, self._host)))

    @on(Found)
    def _found(self, message: Found) -> None:
        self._trend = message.trend
        if message.trend is None:
            self.query_one("#page", Static).update(f"No session of {self._preset} on {self._host} is left.")
        self.redraw()
        self.refresh_bindings()

    def redraw(self) -> None:
        """Draw the page to its width."""
        if self._trend is None:
            return
        width = self.width_within("#trend")
        with self.app.batch_update():
            title = Content.assemble(("Trend", "bold"), f"  {trend_title(self._trend)}")
            self.query_one("#headline", Static).update(title)
            self.query_one("#page", Static).update(trend_page(self._trend, width, self._unicode))

    @property
    def has_page(self) -> bool:
        """Whether there is a page yet."""
        return self._trend is not None

    def as_markdown(self) -> MarkdownPage | None:
        """Return the trend as Markdown; None until it is known."""
        if (trend := self._trend) is None:
            return None
        name = f"trend-of-{trend.preset}-on-{trend.host}.md".replace("/", "-")
        return MarkdownPage(render_trend(trend, "md"), "trend", name, self._shelf.root)
