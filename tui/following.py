"""An app that follows the sessions it has shown to their end, and tells of it whichever screen is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from textual import on

from .requests import FollowSession
from .terminal.key_order import KeyOrderApp
from .terminal.notices import RESTORE_TITLE, SAVE_TITLE, Notices, window_title
from .workers import in_thread

if TYPE_CHECKING:
    from .data.session_watch import SessionEnded, SessionProgress, SessionsProgressed, SessionWatch


class FollowingApp(KeyOrderApp):
    """Follows sessions in a thread, from the first one shown on."""

    def __init__(self, css_path: list[str | PurePath], notices: Notices) -> None:
        super().__init__(css_path)
        self.progress: Mapping[Path, SessionProgress] = {}
        """Progress of the sessions that have not ended, by the path of their folder."""
        self._notices = notices
        self._watch: SessionWatch | None = None
        self._window_title = ""

    @on(FollowSession)
    def _follow(self, message: FollowSession) -> None:
        from .data.session_watch import SessionWatch

        if self._watch is None:
            self._watch = SessionWatch()
            self._follow_sessions(self._watch)
        self._watch.follow(message.folder, message.process)

    @in_thread("following the sessions", feed=True)
    def _follow_sessions(self, watch: SessionWatch) -> None:
        watch.run(self.post_message)

    def on_sessions_progressed(self, message: SessionsProgressed) -> None:
        """Show the progress in the window's title, and on the launch screen."""
        from .data.session_watch import closest_to_its_end

        self.progress = message.progress
        self.show_progress()
        shown = closest_to_its_end(list(self.progress.values()))
        if shown is not None:
            share = "" if shown.percent is None else f"{shown.percent}% "
            self._set_window_title(f"{share}{shown.folder.name}")

    def show_progress(self) -> None:
        """Show the progress of the sessions where the present screen has a place for it."""

    def on_session_ended(self, message: SessionEnded) -> None:
        """Tell the user in the ways that the config file names, and on any screen but the session's own."""
        name, headline = message.folder.name, message.headline
        self.send_sequence(self._notices.of_end(f"{name} is {message.outcome}", headline))
        self._set_window_title(f"{name}: {message.outcome}")
        if not self.shows_session(message.folder.path):
            said = " ".join(filter(None, (f"{name} is {message.outcome}.", headline)))
            self.notify(said, title="Session ended", timeout=15, markup=False)

    def shows_session(self, path: Path) -> bool:
        """Return whether the present screen shows that session."""
        raise NotImplementedError

    def reminders(self) -> list[str]:
        """Return a line for each session that goes on after the app."""
        return [
            f"{each.folder.name} keeps running; to return: gpubench-tui attach {each.folder.name}"
            for each in self.progress.values()
        ]

    def _set_window_title(self, text: str) -> None:
        if not self._notices.title or text == self._window_title:
            return
        self.send_sequence(window_title(text) if self._window_title else SAVE_TITLE + window_title(text))
        self._window_title = text

    def on_unmount(self) -> None:
        """Stop following, and give the window its title back."""
        if self._watch is not None:
            self._watch.close()
        if self._window_title:
            self.send_sequence(window_title("") + RESTORE_TITLE)
