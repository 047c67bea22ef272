"""A session on a screen, live or recorded: folded from its events, drawn twice a second."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from ...engine.record.events import Event
from ...engine.record.session import Session
from ...engine.record.shelf import SessionFolder
from ...engine.text.units import clock
from ..data.feed import Feed
from ..data.log_tail import read_log_tail
from ..render.logs import rank_log, session_log
from ..render.time_range import TIME_RANGES
from ..widgets.footer import Footer
from ..widgets.panel import Panel
from ..widgets.session_view import SessionView, latest_run
from .base import Quittable, is_visible
from .results import ResultsScreen

REDRAW_SECONDS = 0.5
PLOT_SECONDS = 0.9
"""Plots cost more than all else together: every second time is enough for them."""
FOLD_SECONDS = 0.1
"""At most so long at a stretch are events folded; keys are answered in between."""

Source = TypeVar("Source", bound=Feed)


@dataclass
class LogRead(Message):
    """The newest lines of a rank's log."""

    run: str
    rank: int
    lines: Sequence[str]


class SessionScreen(Quittable, Generic[Source]):
    """Shows a session; measures nothing, and may come and go as it likes."""

    CSS_PATH = "monitor.tcss"
    ALLOW_IN_MAXIMIZED_VIEW = "Footer, #head"
    AUTO_FOCUS = ""

    def __init__(self, folder: SessionFolder, feed: Source, unicode: bool = True) -> None:
        super().__init__()
        self.session = Session(folder.name)
        self.folder = folder
        self._feed = feed
        self._unicode = unicode
        self._pending: Iterator[Event] = iter(())
        self._ready = True
        """Whether the session may be touched: a thread may be filling it."""
        self._unread = ""
        """Why the journal cannot be read at the moment; empty while it can."""
        self._over = False
        self._paused = False
        self._results_due = False
        self._log_rank: int | None = None
        self._printed: LogRead | None = None
        self._reads_log = False
        self._plotted_at = 0.0

    def compose(self) -> ComposeResult:
        """What stands above, the panels, the keys."""
        with Vertical(id="head"):
            yield from self.head()
        yield SessionView(self._unicode)
        yield Footer()

    def head(self) -> Iterable[Widget]:
        """What is always in sight above the panels: the headline."""
        yield Static(id="state", classes="headline", markup=False)

    @property
    def view(self) -> SessionView:
        """The panels."""
        return self.query_one(SessionView)

    def on_mount(self) -> None:
        """Read and draw from now on."""
        self._ticking = self.set_interval(REDRAW_SECONDS, self.tick)
        self.call_after_refresh(self.redraw)

    def on_resize(self) -> None:
        """Everything is drawn to its panel's size."""
        self.call_after_refresh(self.redraw)

    def on_screen_resume(self) -> None:
        """Draw what happened meanwhile; the results may have waited for a question to be answered."""
        self.call_after_refresh(self.redraw)
        if self._results_due:
            self.call_after_refresh(self._end)

    def tick(self) -> None:
        """Take in what is new, and draw it."""
        if not self._ready:
            return
        # Asked before reading: what a session wrote before it went is then read after it went.
        over = self._feed.is_over()
        try:
            drained = self._fold_for(FOLD_SECONDS)
            self._unread = ""
        except OSError as error:  # a disk on the network that is away: the next time may do
            drained, self._unread = over, error.strerror or str(error)
        self.session.unreadable = self._feed.unreadable
        if drained and not self._over and (over or self.session.outcome is not None):
            self._over = True
            self._ticking.pause()
            self.refresh_bindings()
            self._end()
        self._heard(over)
        if self._paused:
            self._draw_headline()
        else:
            self.redraw(plots=self._over or time.monotonic() - self._plotted_at > PLOT_SECONDS)

    def _heard(self, over: bool) -> None:
        """Take note of whether the feed was over before it was read."""

    def _fold_for(self, seconds: float) -> bool:
        """Fold new events for about so long; whether there are none left."""
        deadline = time.monotonic() + seconds
        count = 0
        for fresh in range(2):
            for event in self._pending:
                self.session.apply(event)
                count += 1
                if count % 64 == 0 and time.monotonic() > deadline:
                    return False
            if not fresh:
                self._pending = self._feed.events()
        return True

    def _end(self) -> None:
        """Move on when the session has ended, as soon as no question is open and the view not held still."""
        shown = any(isinstance(screen, ResultsScreen) for screen in self.app.screen_stack)
        self._results_due = (not self.is_active and not shown) or self._paused
        if self.is_active and not self._paused:
            self._move_on()

    def _move_on(self) -> None:
        self.action_results()

    # Drawing

    def redraw(self, plots: bool = True) -> None:
        """Draw what changed, of what is visible; the plots only if asked to."""
        if not is_visible(self) or not self._ready:
            return
        if plots:
            self._plotted_at = time.monotonic()
        with self.app.batch_update():
            self._draw_headline()
            self.view.draw(self.session, plots)
            self._draw_log()

    def _draw_headline(self) -> None:
        session = self.session
        parts: list[Content | str | tuple[str, str]] = [(self.state(), "bold $text-accent")]
        if self._paused:
            parts.append(("  view paused, p goes on", "bold $text-warning"))
        parts.append(f"  {session.name}")
        parts += self._remarks()
        if self._unread:
            parts.append((f"  its journal cannot be read: {self._unread}", "$text-error"))
        if session.unreadable:
            parts.append((f"  {session.unreadable} journal lines unreadable", "$text-error"))
        self.query_one("#state", Static).update(Content.assemble(*parts), layout=False)

    def _remarks(self) -> list[Content | str | tuple[str, str]]:
        """What the headline says of time."""
        return [(f"  {clock(self.session.elapsed)}", "$muted")]

    def state(self) -> str:
        """What becomes of the session, in a word."""
        return self.session.outcome or ("interrupted" if self._over else "running")

    def _draw_log(self) -> None:
        run = latest_run(self.session)
        if self._log_rank is None or run is None or self._log_rank >= run.spec.world_size:
            self.view.draw_log("Log", session_log(self.session.log))
            return
        self._read_log(run.spec.id, self._log_rank)
        printed, asked = self._printed, (run.spec.id, self._log_rank)
        if printed is not None and (printed.run, printed.rank) == asked:
            path = self.folder.rank_log(*asked).relative_to(self.folder.path)
            self.view.draw_log(f"Log of rank {self._log_rank}: {path}", rank_log(printed.lines))

    def _read_log(self, run: str, rank: int) -> None:
        # A file system may be slow: one reader at a time.
        if not self._reads_log:
            self._reads_log = True
            self._read_tail(run, rank)

    @work(thread=True, exit_on_error=False)
    def _read_tail(self, run: str, rank: int) -> None:
        self.post_message(LogRead(run, rank, read_log_tail(self.folder.rank_log(run, rank))))

    @on(LogRead)
    def _show_printed(self, message: LogRead) -> None:
        self._reads_log = False
        if message != self._printed:
            self._printed = message
            if self._ready:
                self._draw_log()

    # What the keys do

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Nothing is held still that has ended."""
        return action != "pause" or not self._over or self._paused

    def action_pause(self) -> None:
        """Hold the view still, or let it go on; what happens is taken in all the same."""
        self._paused = not self._paused
        self.redraw()
        if not self._paused and self._results_due:
            self._end()

    def action_results(self) -> None:
        """The table."""
        if self._ready:
            self.app.push_screen(ResultsScreen(self.session, self.folder, lambda: self._over, self._unicode))

    def action_zoom(self) -> None:
        """Show the focused panel alone, or the first; or all again."""
        if self.maximized is not None:
            self.minimize()
        else:
            panel = self.focused if isinstance(self.focused, Panel) else self.query(Panel).first()
            self.maximize(panel, container=False)
        self.call_after_refresh(self.redraw)

    def action_unzoom(self) -> None:
        """Show all panels."""
        self.minimize()
        self.call_after_refresh(self.redraw)

    def action_panel(self, direction: int) -> None:
        """Go on to another panel, which is shown alone where one is."""
        if self.maximized is None:
            self.focus_next() if direction > 0 else self.focus_previous()
            return
        panels = [panel for panel in self.query(Panel) if panel.display]
        place = panels.index(self.maximized) if self.maximized in panels else 0
        following = panels[(place + direction) % len(panels)]
        self.minimize()
        self.maximize(following, container=False)
        following.focus()
        self.call_after_refresh(self.redraw)

    def action_log(self) -> None:
        """The log of the next rank, or that of the session again."""
        run = latest_run(self.session)
        ranks = run.spec.world_size if run is not None else 0
        following = 0 if self._log_rank is None else self._log_rank + 1
        self._log_rank = following if following < ranks else None
        self.redraw()

    def action_time(self, change: int) -> None:
        """Show a shorter stretch of time, or a longer one."""
        place = TIME_RANGES.index(self.view.time) + change
        self.view.time = TIME_RANGES[min(len(TIME_RANGES) - 1, max(0, place))]
        self.redraw()


VIEW_KEYS: list[BindingType] = [
    Binding("t", "results", "Table", id="monitor.results", tooltip="The results so far"),
    Binding(
        "p",
        "pause",
        "Pause",
        id="monitor.pause",
        tooltip="Hold the view still, or let it go on; the session is not touched",
    ),
    Binding("z", "zoom", "Zoom", id="monitor.zoom", tooltip="Show the focused panel alone, or all again"),
    Binding("l", "log", "Log", id="monitor.log", tooltip="Whose log: the session's, then that of each rank"),
    Binding(
        "left_square_bracket",
        "time(-1)",
        "Longer",
        show=False,
        id="monitor.longer",
        tooltip="Show a longer stretch of time",
    ),
    Binding(
        "right_square_bracket",
        "time(1)",
        "Shorter",
        show=False,
        id="monitor.shorter",
        tooltip="Show a shorter stretch of time: all, the last 10 minutes, the last minute",
    ),
    Binding(
        "tab",
        "panel(1)",
        "Next panel",
        show=False,
        id="monitor.next",
        tooltip="Next panel; the arrows scroll in it",
    ),
    Binding(
        "shift+tab", "panel(-1)", "Last panel", show=False, id="monitor.previous", tooltip="Previous panel"
    ),
    Binding(
        "escape",
        "unzoom",
        "All panels",
        show=False,
        id="monitor.unzoom",
        tooltip="Show all panels again",
    ),
]
"""A screen's own keys come before them."""
