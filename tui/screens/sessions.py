"""The list of sessions, newest first: to watch, read, replay, compare, rename and delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message

from ...engine.analysis.sessions.overview import OVER, SessionOverview, UnreadableSession
from ...engine.record.shelf import ShelfError
from ...engine.text.grouping import first_names
from ...engine.text.units import count
from ..replay_speed import REPLAY_SPEED
from ..requests import Resume, ShowComparison, ShowMonitor, ShowReplay, ShowResults, ShowTrend
from ..widgets.row_list import RowList
from ..workers import in_thread
from .dialogs.name import NameScreen
from .dialogs.question import Answer, QuestionScreen
from .shelf_screen import ShelfScreen

ACTIONS_ON_SESSIONS = frozenset({"replay", "resume", "mark", "compare", "trend", "rename", "delete", "find"})

_Deletable = SessionOverview | UnreadableSession


class SessionsScreen(ShelfScreen):
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
            tooltip="Measure what is missing, in a new session that keeps the rest",
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
        return f"Deleted {first_names([entry.name for entry in entries])}."

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
    names, figures = first_names([entry.name for entry in entries]), count(measured, "measured run")
    return QuestionScreen(
        f"Delete {names}, with journal, logs and the figures of {figures}? This cannot be undone.",
        (Answer("y", "delete", "Yes, delete " + ("it" if len(entries) == 1 else "them")),),
    )
