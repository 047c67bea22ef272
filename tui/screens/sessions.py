"""The list of sessions, newest first: to watch, read, replay, compare, rename and delete.

A thread reads the shelf once a second; the screen draws only what the thread has read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...engine.analysis.sessions.overview import OVER, SessionOverview, UnreadableSession
from ...engine.record.shelf import Shelf, ShelfError
from ...engine.text.units import count
from ..data.shelf_watch import ShelfContent, watch_shelf
from ..replay_speed import REPLAY_SPEED
from ..requests import Resume, ShowComparison, ShowMonitor, ShowReplay, ShowResults, ShowTrend
from ..terminal.key_order import FilledLater
from ..widgets.footer import Footer
from ..widgets.row_list import RowList
from ..widgets.session_browser import SessionBrowser
from ..workers import in_thread
from .base import ClosedOnce
from .dialogs.name import NameScreen
from .dialogs.question import Answer, QuestionScreen

ACTIONS_ON_SESSIONS = frozenset({"replay", "resume", "mark", "compare", "trend", "rename", "delete", "find"})

_Deletable = SessionOverview | UnreadableSession


class SessionsScreen(ClosedOnce[None], FilledLater):
    """The list of sessions, and the actions on them."""

    CSS_PATH = "sessions.tcss"
    AUTO_FOCUS = "#sessions"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "replay", "Replay", id="sessions.replay", tooltip="Replay at 10x speed"),
        Binding(
            "space",
            "mark",
            "Select",
            id="sessions.select",
            tooltip="Select or deselect, to compare or delete",
        ),
        Binding("c", "compare", "Compare", id="sessions.compare", tooltip="Compare the selected sessions"),
        Binding(
            "t",
            "trend",
            "Trend",
            id="sessions.trend",
            tooltip="All sessions of this preset on this machine over time",
        ),
        Binding(
            "u",
            "resume",
            "Resume",
            show=False,
            id="sessions.resume",
            tooltip="Measure what the session lacks, in a new one that takes over the rest",
        ),
        Binding("n", "rename", "Rename", id="sessions.rename", tooltip="Rename the session"),
        Binding(
            "x",
            "delete",
            "Delete",
            id="sessions.delete",
            tooltip="Delete the selected sessions, or else this one (asks first)",
        ),
        Binding("slash", "find", "Find", id="sessions.find", tooltip="Search by words"),
        Binding(
            *("a", "attach", "Attach"),
            show=False,
            id="sessions.attach",
            tooltip="Open the monitor of the newest running session",
        ),
        Binding("escape,o", "back", "Back", id="sessions.back", tooltip="Back to the previous screen"),
    ]

    class Seen(Message):
        """The thread has read the shelf."""

        def __init__(self, content: ShelfContent) -> None:
            super().__init__()
            self.content = content

    class Changed(Message):
        """Sessions have been renamed or deleted; `name` is to be highlighted."""

        def __init__(self, message: str, name: str) -> None:
            super().__init__()
            self.message, self.name = message, name

    class Refused(Message):
        """Sessions could not be renamed or deleted; `sentence` says why."""

        def __init__(self, sentence: str) -> None:
            super().__init__()
            self.sentence = sentence

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

    # Opening

    @on(RowList.RowChosen)
    def _open(self) -> None:
        entry = self._highlighted
        if entry is None:
            return
        if entry.state not in OVER:
            self.post_message(ShowMonitor(entry.folder))
        elif self._has_record(entry):
            self.post_message(ShowResults(entry.folder))

    def action_replay(self) -> None:
        """Replay the highlighted session."""
        entry = self._highlighted
        if entry is not None and self._is_over(entry, "replayed") and self._has_record(entry):
            self.post_message(ShowReplay(entry.folder, REPLAY_SPEED))

    def action_resume(self) -> None:
        """Measure what the highlighted session lacks."""
        entry = self._highlighted
        if entry is not None and self._is_over(entry, "resumed"):
            self.post_message(Resume(entry.folder))

    def _is_over(self, entry: _Deletable, done: str) -> bool:
        if isinstance(entry, UnreadableSession):
            return True  # the shelf refuses one that runs
        if entry.state not in OVER:
            self._show_message(
                f"{entry.name} is {entry.state}: it can be {done} once it has ended. Enter opens its monitor."
            )
        return entry.state in OVER

    def _has_record(self, entry: SessionOverview) -> bool:
        if not entry.program:
            self._show_message(f"{entry.name} recorded nothing; see {entry.folder.log}.")
        return bool(entry.program)

    def action_attach(self) -> None:
        """Open the monitor of the newest running session."""
        running = next((entry for entry in self._entries if entry.state == "running"), None)
        if running is not None:
            self.post_message(ShowMonitor(running.folder))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Disable Attach if no session is running, and actions on sessions if there are none."""
        if action == "attach":
            return any(entry.state == "running" for entry in self._entries)
        return any(self._content or ()) or action not in ACTIONS_ON_SESSIONS

    def action_back(self) -> None:
        """Clear the search, or return to the previous screen."""
        if self._browser.is_searching:
            self._browser.show_all()
        else:
            self.dismiss()

    def action_mark(self) -> None:
        """Select or deselect the highlighted session."""
        self._browser.toggle_selected()

    def action_find(self) -> None:
        """Show the search field."""
        self._browser.find()

    def action_compare(self) -> None:
        """Compare the selected sessions; if only one is selected, with the highlighted one."""
        names = {entry.name for entry in self._browser.selected}
        if len(names) == 1 and (chosen := self._browser.highlighted) is not None:
            names.add(chosen.name)
        oldest_first = [entry.folder for entry in reversed(self._entries) if entry.name in names]
        if len(oldest_first) > 1:
            self.post_message(ShowComparison(oldest_first))
        else:
            self._show_message(
                "Select two or more sessions with Space; c then compares them with the oldest."
            )

    def action_trend(self) -> None:
        """Show the trend of the highlighted session's preset on its machine."""
        entry = self._highlighted
        if entry is not None:
            self.post_message(ShowTrend(entry.preset, entry.host))

    # Renaming and deleting

    def action_rename(self) -> None:
        """Ask for a new name for the highlighted session."""
        entry = self._highlighted
        if entry is None or not self._is_over(entry, "renamed"):
            return

        def take(name: str | None) -> None:
            if name:
                self._change(lambda: self._rename(entry, name), name)

        self.app.push_screen(
            NameScreen(f"Rename {entry.name} to", entry.name, self._shelf.problem_with), take
        )

    def _rename(self, entry: SessionOverview, name: str) -> str:
        self._shelf.rename(entry.folder, name)
        return f"{entry.name} is now {name}."

    def action_delete(self) -> None:
        """Ask whether to delete the selected sessions, or else the highlighted one."""
        browser = self._browser
        chosen = browser.highlighted or browser.highlighted_unreadable
        entries: Sequence[_Deletable] = browser.selected or ([chosen] if chosen is not None else [])
        if not entries or not all(self._is_over(entry, "deleted") for entry in entries):
            return

        def take(answer: str | None) -> None:
            if answer == "delete":
                self._change(lambda: self._delete(entries))

        self.app.push_screen(_delete_question(entries), take)

    def _delete(self, entries: Sequence[_Deletable]) -> str:
        for entry in entries:
            self._shelf.delete(entry.folder)
        return f"Deleted {_named(entries)}."

    @in_thread("changing the sessions")
    def _change(self, change: Callable[[], str], name: str = "") -> None:
        try:
            self.post_message(self.Changed(change(), name))
        except ShelfError as error:
            self.post_message(self.Refused(f"{error}."))

    @on(Changed)
    def _changed(self, message: Changed) -> None:
        self.notify(message.message, markup=False)
        self._browser.highlight_when_seen(message.name)
        self._read_again()

    @on(Refused)
    def _refused(self, message: Refused) -> None:
        self._show_message(message.sentence, "$text-error")
        self._read_again()


def _delete_question(entries: Sequence[_Deletable]) -> QuestionScreen:
    measured = sum(entry.measured for entry in entries if isinstance(entry, SessionOverview))
    figures = count(measured, "measured run")
    return QuestionScreen(
        f"Delete {_named(entries)}, with journal, logs and the figures of {figures}? This cannot be undone.",
        (Answer("y", "delete", "Yes, delete " + ("it" if len(entries) == 1 else "them")),),
    )


def _named(entries: Sequence[_Deletable]) -> str:
    names = ", ".join(entry.name for entry in entries[:3])
    return names if len(entries) < 4 else f"{names} and {len(entries) - 3} more"
