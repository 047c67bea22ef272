"""The sessions in a list that can be searched and marked; below it more of the one that is highlighted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from ...engine.analysis.sessions.overview import SessionOverview
from ..render.sessions_table import session_details, sessions_table
from .panel import Panel
from .row_list import POINTER, RowList


class SessionList(RowList):
    """The sessions; Enter opens one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", id="sessions.open", tooltip="Its results; a running one's monitor")
    ]


class FindInput(Input):
    """The words to find; the arrow and Enter go on to the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter,down", "to_list", "To the list", id="sessions.to-list", tooltip="On to what was found"
        ),
        Binding("escape", "show_all", "Show all", id="sessions.all", tooltip="Show all sessions again"),
    ]

    class Left(Message):
        """The user goes on to the list."""

    def action_to_list(self) -> None:
        """On to what was found."""
        self.post_message(self.Left())

    def action_show_all(self) -> None:
        """Find nothing in particular any more."""
        self.value = ""
        self.post_message(self.Left())


class SessionBrowser(Vertical):
    """Shows entries; knows which one is chosen, and which are selected."""

    def __init__(self, root: Path, *, id: str) -> None:  # noqa: A002
        """`root`: where the sessions are kept."""
        super().__init__(id=id)
        self._root = root
        self._entries: Sequence[SessionOverview] | None = None
        self._shown: Sequence[SessionOverview] = ()
        self._selected: set[str] = set()
        self._to_highlight = ""
        self._titles = ""

    def compose(self) -> ComposeResult:
        """Count, words to find, list, detail."""
        yield Static("Sessions", id="headline", classes="headline", markup=False)
        yield FindInput(placeholder="words of name, preset, host, result or state", compact=True, id="find")
        yield Static(id="titles", markup=False)
        yield SessionList(id="sessions")
        yield Static(id="empty", markup=False)
        yield Panel("Session", id="detail")

    @property
    def visible_names(self) -> Sequence[str]:
        """Names of the sessions that a person sees."""
        return self.query_one(SessionList).visible_keys

    @property
    def chosen(self) -> SessionOverview | None:
        """The session that is highlighted."""
        name = self.query_one(SessionList).highlighted
        return next((entry for entry in self._shown if entry.name == name), None)

    @property
    def selected(self) -> list[SessionOverview]:
        """The sessions selected, newest first."""
        return [entry for entry in self._entries or () if entry.name in self._selected]

    @property
    def is_finding(self) -> bool:
        """Whether only those are shown that some words are in."""
        return bool(self.query_one(FindInput).value)

    def show(self, entries: Sequence[SessionOverview]) -> None:
        """Show these sessions, newest first."""
        self._entries = entries
        self._selected &= {entry.name for entry in entries}
        self.redraw()

    def highlight_when_seen(self, name: str) -> None:
        """Highlight the session of that name as soon as it is among those shown."""
        self._to_highlight = name

    def mark(self) -> None:
        """Select the session, or no longer, and go on to the next."""
        if (entry := self.chosen) is not None:
            self._selected ^= {entry.name}
            self.redraw()
            self.query_one(SessionList).action_cursor_down()

    def find(self) -> None:
        """Ask for words to find."""
        find = self.query_one(FindInput)
        find.display = True
        find.focus()

    def show_all(self) -> None:
        """Find nothing in particular any more."""
        self.query_one(FindInput).action_show_all()

    @on(FindInput.Left)
    def _to_list(self) -> None:
        find = self.query_one(FindInput)
        find.display = bool(find.value)
        self.query_one(SessionList).focus()

    @on(Input.Changed, "#find")
    def _typed(self) -> None:
        before = self.chosen
        self.redraw()
        if before is None or self.chosen != before:
            self.query_one(SessionList).action_first()

    def redraw(self) -> None:
        """Draw what has changed."""
        if self._entries is None:
            return
        text = self.query_one(FindInput).value
        self._shown = [entry for entry in self._entries if entry.matches(text)]
        with self.app.batch_update():
            self.query_one("#headline", Static).update(self._headline(text))
            if self.has_class("-empty") == bool(self._shown):
                self.toggle_class("-empty")
                self.call_after_refresh(self.redraw)  # only then the list has its size
            elif self._shown:
                self._draw_list(self._shown)
                self._draw_detail()
            else:
                self.query_one("#empty", Static).update(self._nothing(text))

    def _draw_list(self, entries: Sequence[SessionOverview]) -> None:
        rows = self.query_one(SessionList)
        table = sessions_table(
            entries, self._selected, max(40, rows.scrollable_content_region.width - len(POINTER))
        )
        if table.titles != self._titles:
            self._titles = table.titles
            self.query_one("#titles", Static).update(Content.styled(table.titles, "bold $muted"))
        rows.show(table.rows)
        if self._to_highlight in {entry.name for entry in entries}:
            rows.highlight(self._to_highlight)
            self._to_highlight = ""

    @on(RowList.Highlighted)
    def _draw_detail(self) -> None:
        entry, panel = self.chosen, self.query_one("#detail", Panel)
        if entry is not None:
            panel.entitle(entry.name)
            panel.show(session_details(entry, panel.columns))

    def _headline(self, text: str) -> Content:
        entries, shown = self._entries or (), len(self._shown)
        count = f"{shown} of {len(entries)}" if text.strip() else str(len(entries))
        parts: list[str | tuple[str, str]] = [("Sessions", "bold"), f"  {count}"]
        if self._selected:
            parts.append((f"  {len(self._selected)} selected", "$text-accent"))
        return Content.assemble(*parts, (f"  {self._root}", "$muted"))

    def _nothing(self, text: str) -> Content:
        if self._entries:
            return Content(f"No session has all of {text!r} in it: Escape shows all again.")
        return Content("No sessions yet: Escape, then Enter starts the preset chosen, such as quickstart.")
