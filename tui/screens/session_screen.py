"""A session on a screen, live or recorded: folded from its events, drawn twice a second."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from ...engine.record.events import Event
from ...engine.record.session import Session
from ...engine.record.session_folder import SessionFolder
from ...engine.text.units import clock
from ..data.feed import Feed
from ..render.monitor.time_range import TIME_RANGES
from ..requests import GoBack, ShowLaunch, ShowResults
from ..widgets.footer import Footer
from ..widgets.panel import Panel
from ..widgets.session_view import SessionView
from .base import Quittable, is_visible
from .results import ResultsScreen
from .trying import folder_of_origin

REDRAW_SECONDS = 0.5
PLOT_SECONDS = 0.9
"""Interval between redraws of the plots, which cost more than everything else together."""
FOLD_SECONDS = 0.1
"""Longest time spent on folding events before keys are handled."""

Source = TypeVar("Source", bound=Feed)


class SessionScreen(Quittable, Generic[Source]):
    """Shows a session; opening or closing it does not affect the session."""

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
        """Whether the session may be used; False while a thread is filling it."""
        self._read_error = ""
        """Reason why the journal cannot be read at the moment; empty if it can."""
        self._over = False
        self._paused = False
        self._results_due = False
        self._plotted_at = 0.0
        self._is_trial = False

    def compose(self) -> ComposeResult:
        """Compose head, panels and footer."""
        with Vertical(id="head"):
            yield from self.head()
        yield SessionView(self.folder, self._unicode)
        yield Footer()

    def head(self) -> Iterable[Widget]:
        """Yield the widgets above the panels: the headline."""
        yield Static(id="state", classes="headline", markup=False)

    @property
    def view(self) -> SessionView:
        """Return the panels."""
        return self.query_one(SessionView)

    def on_mount(self) -> None:
        """Start reading and drawing."""
        self._ticking = self.set_interval(REDRAW_SECONDS, self.tick)
        self.call_after_refresh(self.redraw)

    def on_resize(self) -> None:
        """Draw to the new sizes."""
        self.call_after_refresh(self.redraw)

    def on_screen_resume(self) -> None:
        """Draw what has changed; show the results if only a dialog delayed them."""
        self.call_after_refresh(self.redraw)
        if self._results_due:
            self.call_after_refresh(self._end)

    def tick(self) -> None:
        """Read new events and draw them."""
        if not self._ready:
            return
        # Checked before reading, so that the last events before the end are read too.
        over = self._feed.is_over()
        try:
            drained = self._fold_for(FOLD_SECONDS)
            self._read_error = ""
        except OSError as error:  # e.g. a network file system that is away: the next attempt may succeed
            # Without anything to show results of, the reason stays on this screen.
            drained, self._read_error = over and self.session.started, error.strerror or str(error)
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
        """Note whether the feed was over before it was read."""

    def _fold_for(self, seconds: float) -> bool:
        """Fold new events for about `seconds`; return whether none are left."""
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
        """Move on after the end of the session, once no dialog is open and the view is not frozen."""
        shown = any(isinstance(screen, ResultsScreen) for screen in self.app.screen_stack)
        self._results_due = (not self.is_active and not shown) or self._paused
        if self.is_active and not self._paused:
            self._move_on()

    def _move_on(self) -> None:
        self.action_results()

    # Drawing

    def redraw(self, plots: bool = True) -> None:
        """Redraw what has changed and is visible; the plots only if `plots`."""
        if not is_visible(self) or not self._ready:
            return
        if plots:
            self._plotted_at = time.monotonic()
        if self._is_trial != (self.session.plan.trial is not None):
            self._is_trial = not self._is_trial
            self.refresh_bindings()
        with self.app.batch_update():
            self._draw_headline()
            self.view.draw(self.session, plots, self.seconds_left())

    def _draw_headline(self) -> None:
        session = self.session
        parts: list[Content | str | tuple[str, str]] = [(self.state(), "bold $text-accent")]
        if self._paused:
            parts.append(("  view frozen, p resumes", "bold $text-warning"))
        parts.append(f"  {session.name}")
        parts += self._remarks()
        if self._read_error:
            parts.append((f"  journal cannot be read: {self._read_error}", "$text-error"))
        if session.unreadable:
            parts.append((f"  {session.unreadable} journal lines unreadable", "$text-error"))
        self.query_one("#state", Static).update(Content.assemble(*parts), layout=False)

    def _remarks(self) -> list[Content | str | tuple[str, str]]:
        """Return the parts of the headline about time."""
        return [(f"  {clock(self.session.elapsed)}", "$muted")]

    def seconds_left(self) -> float | None:
        """Return the time that the headline says is left, in s; None if it says none."""
        return None

    def state(self) -> str:
        """Return the state of the session in one word."""
        return self.session.outcome or ("interrupted" if self._over else "running")

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Disable Freeze once the session has ended, unless the view is frozen, and From but in a trial."""
        if action == "origin":
            return self.session.plan.trial is not None
        return action != "pause" or not self._over or self._paused

    def action_pause(self) -> None:
        """Freeze or unfreeze the view; events are still read."""
        self._paused = not self._paused
        self.redraw()
        if not self._paused and self._results_due:
            self._end()

    def action_launch(self) -> None:
        """Return to the presets."""
        self.post_message(ShowLaunch())

    def action_origin(self) -> None:
        """Show the results of the session that this one is a trial of."""
        origin = folder_of_origin(self.folder, self.session)
        if origin is not None:
            self.post_message(ShowResults(origin))
        elif self.session.plan.trial is not None:
            name = self.session.plan.trial.session
            self.notify(f"{name} is no longer beside this session.", severity="warning", markup=False)

    def action_results(self) -> None:
        """Show the results."""
        if self._ready:
            self.app.push_screen(ResultsScreen(self.session, self.folder, lambda: self._over, self._unicode))

    def action_zoom(self) -> None:
        """Enlarge the focused panel, or the first; or show all panels again."""
        if self.maximized is not None:
            self.minimize()
        else:
            panel = self.focused if isinstance(self.focused, Panel) else self.query(Panel).first()
            self.maximize(panel, container=False)
        self.call_after_refresh(self.redraw)

    def action_back(self) -> None:
        """Show all panels if one is enlarged; else return to the previous screen, or to the presets."""
        if self.maximized is not None:
            self.minimize()
            self.call_after_refresh(self.redraw)
        else:
            self.post_message(GoBack(self))

    def action_panel(self, direction: int) -> None:
        """Move to another panel; if one is enlarged, enlarge that one instead."""
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
        """Show the log of the next rank; after the last, that of the session."""
        self.view.turn_log(self.session)
        self.redraw()

    def action_time(self, change: int) -> None:
        """Show a shorter or a longer stretch of time."""
        place = TIME_RANGES.index(self.view.time) + change
        self.view.time = TIME_RANGES[min(len(TIME_RANGES) - 1, max(0, place))]
        self.redraw()


VIEW_KEYS: list[BindingType] = [
    Binding("t", "results", "Results", id="monitor.results", tooltip="Show the results so far"),
    Binding(
        "n",
        "launch",
        "Presets",
        id="monitor.launch",
        tooltip="Back to the presets; a session that is running keeps running",
    ),
    Binding(
        "f",
        "origin",
        "From",
        id="monitor.origin",
        tooltip="The results of the session that this one is a trial of",
    ),
    Binding(
        "p",
        "pause",
        "Freeze",
        id="monitor.pause",
        tooltip="Freeze or unfreeze the view; the session keeps running",
    ),
    Binding("z", "zoom", "Zoom", id="monitor.zoom", tooltip="Enlarge the focused panel, or show all panels"),
    Binding("l", "log", "Log", id="monitor.log", tooltip="Next log: session, rank 0, rank 1, ..."),
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
        tooltip="Show a shorter stretch of time: all, last 10 minutes, last minute",
    ),
    Binding(
        "tab",
        "panel(1)",
        "Next panel",
        show=False,
        id="monitor.next",
        tooltip="Next panel; the arrow keys scroll in it",
    ),
    Binding(
        "shift+tab",
        "panel(-1)",
        "Previous panel",
        show=False,
        id="monitor.previous",
        tooltip="Previous panel",
    ),
    Binding(
        "escape",
        "back",
        "Back",
        show=False,
        id="monitor.back",
        tooltip="Show all panels again, or go back; a session that is running keeps running",
    ),
]
"""Keys of every view of a session, which come after the keys of the screen."""
