"""All sessions, newest first: to watch, read, replay, compare, rename and delete.

A thread looks at the shelf once a second; what it has seen is all that is drawn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ...engine.analysis.sessions.overview import OVER, SessionOverview
from ...engine.record.shelf import Shelf, ShelfError
from ..data.shelf_watch import watch_shelf
from ..requests import ShowComparison, ShowMonitor, ShowReplay, ShowResults
from ..widgets.footer import Footer
from ..widgets.row_list import RowList
from ..widgets.session_browser import SessionBrowser
from .base import ClosedOnce
from .dialogs.name import NameScreen
from .dialogs.question import Answer, QuestionScreen

REPLAY_SPEED = 10.0
NEED_SESSIONS = frozenset({"replay", "mark", "compare", "rename", "delete", "find"})


class SessionsScreen(ClosedOnce[None]):
    """The list; what is done with sessions is done here."""

    CSS_PATH = "sessions.tcss"
    AUTO_FOCUS = "#sessions"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "replay", "Replay", id="sessions.replay", tooltip="See it again, ten times as fast"),
        Binding("space", "mark", "Select", id="sessions.select", tooltip="Select it, to compare or delete"),
        Binding("c", "compare", "Compare", id="sessions.compare", tooltip="Those selected side by side"),
        Binding("n", "rename", "Rename", id="sessions.rename", tooltip="Give it another name"),
        Binding("x", "delete", "Delete", id="sessions.delete", tooltip="Delete it or those selected; asks"),
        Binding("slash", "find", "Find", id="sessions.find", tooltip="Only those that some words are in"),
        Binding(
            *("a", "attach", "Attach"),
            show=False,
            id="sessions.attach",
            tooltip="Watch the newest that is running",
        ),
        Binding("escape,o", "back", "Back", id="sessions.back", tooltip="Back to where you came from"),
    ]

    class Seen(Message):
        """What the thread has seen."""

        def __init__(self, entries: Sequence[SessionOverview]) -> None:
            super().__init__()
            self.entries = entries

    class Changed(Message):
        """Sessions were renamed or deleted; `name` is to be highlighted."""

        def __init__(self, said: str, name: str) -> None:
            super().__init__()
            self.said, self.name = said, name

    class Refused(Message):
        """Sessions were not renamed or deleted; one sentence."""

        def __init__(self, sentence: str) -> None:
            super().__init__()
            self.sentence = sentence

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self._shelf = shelf
        self._entries: Sequence[SessionOverview] | None = None
        self._visible_names: Sequence[str] = ()
        self._leave = threading.Event()

    def compose(self) -> ComposeResult:
        """Nothing here waits for the shelf."""
        yield SessionBrowser(self._shelf.root, id="browser")
        yield Static(id="said", markup=False)
        yield Footer()

    @property
    def _browser(self) -> SessionBrowser:
        return self.query_one(SessionBrowser)

    # Looking at the shelf

    def on_screen_resume(self) -> None:
        """Shown for the first time, or again."""
        self._look_afresh()

    def on_screen_suspend(self) -> None:
        """Nobody looks at the list now."""
        self._leave.set()

    def on_unmount(self) -> None:
        """Let the thread go."""
        self._leave.set()

    def _look_afresh(self) -> None:
        self._leave.set()
        self._leave = threading.Event()
        self._look(self._leave)

    @work(thread=True, group="look", exit_on_error=False)
    def _look(self, leave: threading.Event) -> None:
        for entries in watch_shelf(self._shelf, lambda: self._visible_names, leave):
            # What was seen before a name was changed says nothing any more.
            if not leave.is_set():
                self.post_message(self.Seen(entries))

    @on(Seen)
    def _seen(self, message: Seen) -> None:
        if message.entries != self._entries:
            self._entries = message.entries
            self._browser.show(message.entries)
            self.refresh_bindings()

    def on_resize(self) -> None:
        """Other columns may fit now."""
        self.call_after_refresh(self._browser.redraw)

    @on(RowList.Highlighted)
    def _moved(self, message: RowList.Highlighted) -> None:
        self._visible_names = self._browser.visible_names
        if message.by_user:
            self._say("")

    def _say(self, sentence: str, style: str = "$text-warning") -> None:
        said = self.query_one("#said", Static)
        said.display = bool(sentence)
        if sentence:
            said.update(Content.styled(sentence, style))

    # Opening

    @on(RowList.RowChosen)
    def _open(self) -> None:
        entry = self._browser.chosen
        if entry is None:
            return
        if entry.state not in OVER:
            self.post_message(ShowMonitor(entry.folder))
        elif self._has_record(entry):
            self.post_message(ShowResults(entry.folder))

    def action_replay(self) -> None:
        """See the session again as it was."""
        entry = self._browser.chosen
        if entry is not None and self._is_over(entry, "replayed") and self._has_record(entry):
            self.post_message(ShowReplay(entry.folder, REPLAY_SPEED))

    def _is_over(self, entry: SessionOverview, done: str) -> bool:
        if entry.state not in OVER:
            self._say(f"{entry.name} is {entry.state}: it can be {done} when it is over; Enter watches it.")
        return entry.state in OVER

    def _has_record(self, entry: SessionOverview) -> bool:
        if not entry.program:
            self._say(f"{entry.name} recorded nothing; {entry.folder.log} may say why.")
        return bool(entry.program)

    def action_attach(self) -> None:
        """Watch the newest session that runs."""
        running = next((entry for entry in self._entries or () if entry.state == "running"), None)
        if running is not None:
            self.post_message(ShowMonitor(running.folder))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """There may be nothing to attach to, and nothing to do anything with."""
        if action == "attach":
            return any(entry.state == "running" for entry in self._entries or ())
        return bool(self._entries) or action not in NEED_SESSIONS

    def action_back(self) -> None:
        """Show all again, or go back to the screen below."""
        if self._browser.is_finding:
            self._browser.show_all()
        else:
            self.dismiss()

    def action_mark(self) -> None:
        """Select the session, or no longer."""
        self._browser.mark()

    def action_find(self) -> None:
        """Ask for words to find."""
        self._browser.find()

    def action_compare(self) -> None:
        """The selected sessions side by side; with one selected, it and the one highlighted."""
        names = {entry.name for entry in self._browser.selected}
        if len(names) == 1 and (chosen := self._browser.chosen) is not None:
            names.add(chosen.name)
        oldest_first = [entry.folder for entry in reversed(self._entries or ()) if entry.name in names]
        if len(oldest_first) > 1:
            self.post_message(ShowComparison(oldest_first))
        else:
            self._say("Select two sessions or more with Space, then c holds them against the oldest of them.")

    # Renaming and deleting

    def action_rename(self) -> None:
        """Ask for another name."""
        entry = self._browser.chosen
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
        """Ask whether the selected sessions are to go, or the one highlighted where none is."""
        chosen = self._browser.chosen
        entries = self._browser.selected or ([chosen] if chosen is not None else [])
        if not entries or not all(self._is_over(entry, "deleted") for entry in entries):
            return

        def take(answer: str | None) -> None:
            if answer == "delete":
                self._change(lambda: self._delete(entries))

        self.app.push_screen(_delete_question(entries), take)

    def _delete(self, entries: Sequence[SessionOverview]) -> str:
        for entry in entries:
            self._shelf.delete(entry.folder)
        return f"Deleted {_named(entries)}."

    @work(thread=True, exit_on_error=False)
    def _change(self, change: Callable[[], str], name: str = "") -> None:
        try:
            self.post_message(self.Changed(change(), name))
        except ShelfError as error:
            self.post_message(self.Refused(f"{error}."))

    @on(Changed)
    def _changed(self, message: Changed) -> None:
        self.notify(message.said, markup=False)
        self._browser.highlight_when_seen(message.name)
        self._look_afresh()

    @on(Refused)
    def _refused(self, message: Refused) -> None:
        self._say(message.sentence, "$text-error")
        self._look_afresh()


def _delete_question(entries: Sequence[SessionOverview]) -> QuestionScreen:
    measured = sum(entry.measured for entry in entries)
    figures = "a measured run" if measured == 1 else f"{measured} measured runs"
    return QuestionScreen(
        f"Delete {_named(entries)}? Journal and logs go, and with them the figures of {figures}. "
        "This cannot be undone.",
        (Answer("y", "delete", "Yes, delete " + ("it" if len(entries) == 1 else "them")),),
    )


def _named(entries: Sequence[SessionOverview]) -> str:
    names = ", ".join(entry.name for entry in entries[:3])
    return names if len(entries) < 4 else f"{names} and {len(entries) - 3} more"
