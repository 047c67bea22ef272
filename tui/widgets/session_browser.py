"""The list of sessions, searchable, with multiple selection, and the details of the highlighted one."""

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

from ...engine.analysis.sessions.overview import SessionOverview, UnreadableSession
from ..data.shelf_watch import ShelfContent
from ..render.sessions_table import session_details, sessions_table, unreadable_details, unreadable_row
from .panel import Panel
from .row_list import POINTER, RowList


class SessionList(RowList):
    """The list; Enter opens the highlighted session."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "select",
            "Open",
            id="sessions.open",
            tooltip="Show its results, or its monitor if it is running",
        )
    ]


class FindInput(Input):
    """Field for the words to find; Down and Enter move to the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "to_list", "To the list", id="sessions.to_list", tooltip="Go to the list"),
        Binding(
            "escape",
            "show_all",
            "Show all",
            id="sessions.all",
            tooltip="Clear the search and show all sessions",
        ),
    ]

    class Left(Message):
        """The user moves to the list."""

    def action_to_list(self) -> None:
        """Move to the list."""
        self.post_message(self.Left())

    def action_show_all(self) -> None:
        """Clear the search."""
        self.value = ""
        self.post_message(self.Left())


class SessionBrowser(Vertical):
    """Shows sessions; knows which one is highlighted, and which are selected."""

    def __init__(self, root: Path, *, id: str) -> None:  # noqa: A002
        """`root`: the folder of the sessions."""
        super().__init__(id=id)
        self._root = root
        self._content: ShelfContent | None = None
        self._shown = ShelfContent()
        self._selected: set[str] = set()
        self._to_highlight = ""
        self._titles = ""

    def compose(self) -> ComposeResult:
        """Compose headline, search field, list and details."""
        yield Static("Sessions", id="headline", classes="headline", markup=False)
        yield FindInput(placeholder="words in name, preset, host, result or state", compact=True, id="find")
        yield Static(id="titles", markup=False)
        yield SessionList(id="sessions")
        yield Static(id="empty", markup=False)
        yield Panel("Session", id="detail")

    @property
    def visible_names(self) -> Sequence[str]:
        """Return the names of the sessions that are visible."""
        return self.query_one(SessionList).visible_keys

    @property
    def highlighted(self) -> SessionOverview | None:
        """Return the highlighted session; None if that one cannot be read."""
        name = self.query_one(SessionList).highlighted
        return next((entry for entry in self._shown.entries if entry.name == name), None)

    @property
    def highlighted_unreadable(self) -> UnreadableSession | None:
        """Return the highlighted session if it cannot be read."""
        name = self.query_one(SessionList).highlighted
        return next((session for session in self._shown.unreadable if session.name == name), None)

    @property
    def selected(self) -> list[SessionOverview]:
        """Return the selected sessions, newest first."""
        return (
            [entry for entry in self._content.entries if entry.name in self._selected]
            if self._content
            else []
        )

    @property
    def is_searching(self) -> bool:
        """Return whether a search limits the list."""
        return bool(self.query_one(FindInput).value)

    def show(self, content: ShelfContent) -> None:
        """Show the sessions, and below them those that cannot be read."""
        self._content = content
        self._selected &= {entry.name for entry in content.entries}
        self.redraw()

    def highlight_when_seen(self, name: str) -> None:
        """Highlight the session of that name as soon as it is in the list."""
        self._to_highlight = name

    def toggle_selected(self) -> None:
        """Select or deselect the highlighted session, and move to the next."""
        if (entry := self.highlighted) is not None:
            self._selected ^= {entry.name}
            self.redraw()
            self.query_one(SessionList).action_cursor_down()

    def find(self) -> None:
        """Show the search field and move to it."""
        find = self.query_one(FindInput)
        find.display = True
        find.focus()

    def show_all(self) -> None:
        """Clear the search."""
        self.query_one(FindInput).action_show_all()

    @on(FindInput.Left)
    def _to_list(self) -> None:
        find = self.query_one(FindInput)
        find.display = bool(find.value)
        self.query_one(SessionList).focus()

    @on(Input.Changed, "#find")
    def _typed(self) -> None:
        before = self.highlighted
        self.redraw()
        if before is None or self.highlighted != before:
            self.query_one(SessionList).action_first()

    def redraw(self) -> None:
        """Redraw what has changed."""
        if self._content is None:
            return
        text = self.query_one(FindInput).value
        self._shown = ShelfContent(
            [entry for entry in self._content.entries if entry.matches(text)],
            [session for session in self._content.unreadable if session.matches(text)],
        )
        with self.app.batch_update():
            self.query_one("#headline", Static).update(self._headline(text))
            if self.has_class("-empty") == any(self._shown):
                self.toggle_class("-empty")
                self.call_after_refresh(self.redraw)  # the list gets its size only then
            elif any(self._shown):
                self._draw_list(*self._shown)
                self._draw_detail()
            else:
                self.query_one("#empty", Static).update(self._nothing(text))

    def _draw_list(self, entries: Sequence[SessionOverview], unreadable: Sequence[UnreadableSession]) -> None:
        rows = self.query_one(SessionList)
        width = max(40, rows.scrollable_content_region.width - len(POINTER))
        table = sessions_table(entries, self._selected, width)
        if table.titles != self._titles:
            self._titles = table.titles
            self.query_one("#titles", Static).update(Content.styled(table.titles, "bold $muted"))
        rows.show([*table.rows, *((session.name, unreadable_row(session, width)) for session in unreadable)])
        if self._to_highlight in {entry.name for entry in entries}:
            rows.highlight(self._to_highlight)
            self._to_highlight = ""

    @on(RowList.Highlighted)
    def _draw_detail(self) -> None:
        entry, panel = self.highlighted, self.query_one("#detail", Panel)
        if entry is not None:
            panel.set_title(entry.name)
            panel.show(session_details(entry, panel.columns))
        elif (unreadable := self.highlighted_unreadable) is not None:
            panel.set_title(unreadable.name)
            panel.show(unreadable_details(unreadable, panel.columns))

    def _headline(self, text: str) -> Content:
        known = self._content or ShelfContent()
        shown = len(self._shown.entries)
        count = f"{shown} of {len(known.entries)}" if text.strip() else str(len(known.entries))
        parts: list[str | tuple[str, str]] = [("Sessions", "bold"), f"  {count}"]
        if known.unreadable:
            parts.append((f"  {len(known.unreadable)} unreadable", "$muted"))
        if self._selected:
            parts.append((f"  {len(self._selected)} selected", "$text-accent"))
        return Content.assemble(*parts, (f"  {self._root}", "$muted"))

    def _nothing(self, text: str) -> Content:
        if self._content is not None and any(self._content):
            return Content(f"No session matches {text!r}. Escape shows all sessions.")
        return Content("No sessions yet. Press Escape, then Enter, to start the highlighted preset.")
