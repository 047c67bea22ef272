"""The log of a session, or what one of its ranks has printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.content import Content
from textual.message import Message

from ...engine.record.events import LogMessage
from ...engine.record.session import RunState
from ...engine.record.session_folder import SessionFolder
from ..data.log_tail import read_log_tail
from ..render.monitor.logs import rank_log, session_log
from ..workers import in_thread
from .panel import Panel


class LogPanel(Panel):
    """Shows one log, newest line last; that of a rank is read from its file in a thread."""

    @dataclass
    class Read(Message):
        """The newest lines of a rank's log have been read."""

        run: str
        rank: int
        lines: Sequence[str]

    def __init__(self, folder: SessionFolder) -> None:
        super().__init__("Log", id="log")
        self._folder = folder
        self._rank: int | None = None
        """Rank whose log is shown; None for that of the session."""
        self._wanted: tuple[str, int] | None = None
        """Run and rank that were drawn last; None for the session's log."""
        self._read: LogPanel.Read | None = None
        self._is_reading = False

    def turn(self, run: RunState | None) -> None:
        """Choose the next rank of a run; after the last, the session."""
        following = 0 if self._rank is None else self._rank + 1
        self._rank = following if run is not None and following < run.spec.world_size else None

    def draw(self, messages: Sequence[LogMessage], run: RunState | None) -> None:
        """Draw the session's messages, or the output of the chosen rank of a run, if it has that rank."""
        if self._rank is None or run is None or self._rank >= run.spec.world_size:
            self._wanted = None
            self._draw("Log", session_log(messages))
            return
        self._wanted = run.spec.id, self._rank
        if not self._is_reading:  # a file system may be slow, so only one reader at a time
            self._is_reading = True
            self._read_tail(*self._wanted)
        self._draw_rank_log()

    @in_thread("reading the log", feed=True)
    def _read_tail(self, run: str, rank: int) -> None:
        self.post_message(self.Read(run, rank, read_log_tail(self._folder.rank_log(run, rank))))

    @on(Read)
    def _take(self, message: Read) -> None:
        self._is_reading = False
        if message != self._read:
            self._read = message
            self._draw_rank_log()

    def _draw_rank_log(self) -> None:
        """Draw the lines read last, if they are those wanted."""
        read = self._read
        if read is not None and (read.run, read.rank) == self._wanted:
            path = self._folder.rank_log(read.run, read.rank).relative_to(self._folder.path)
            self._draw(f"Log of rank {read.rank}: {path}", rank_log(read.lines))

    def _draw(self, title: str, lines: Content) -> None:
        """Show the lines; a panel that is scrolled to its end stays there."""
        at_end = self.max_scroll_y - self.scroll_y <= 1
        self.set_title(title)
        self.show(lines)
        if at_end:
            self.scroll_end(animate=False)
