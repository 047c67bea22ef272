"""The monitor: a session as it runs, or as it ran, drawn twice a second from the fold of its journal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from ...engine.analysis.results import headline
from ...engine.analysis.units import clock
from ...engine.conductor import control
from ...engine.record.events import Event
from ...engine.record.session import RunState, Session
from ...engine.record.shelf import SessionFolder
from ..exits import exit_status
from ..feed import Feed, ReplayFeed
from ..routes import Leave, Watch
from ..time_left import session_seconds_left
from ..widgets.cpu_strip import cpu_strip, cpu_summary
from ..widgets.current_run import current_run
from ..widgets.footer import Footer
from ..widgets.gpu_strip import gpu_strips
from ..widgets.log_lines import log_lines
from ..widgets.panel import Panel
from ..widgets.plan_list import current_line, plan_list
from ..widgets.run_plots import loss_plot, throughput_plot
from .question import quit_question, skip_question, stop_question
from .quittable import Quittable
from .results import ResultsScreen
from .sight import in_sight

REDRAW_SECONDS = 0.5
PLOT_SECONDS = 0.9
"""Plots cost more than all else together: every second time is enough for them."""
FOLD_SECONDS = 0.1
"""At most so long at a stretch are events folded; keys are answered in between."""


class MonitorScreen(Quittable):
    """Shows a session; measures nothing, and may come and go as it likes."""

    CSS_PATH = "monitor.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "s", "stop", "Stop", id="monitor.stop", tooltip="Stop the session; what was measured is kept"
        ),
        Binding("k", "skip", "Skip run", id="monitor.skip", tooltip="Skip the rest of this run"),
        Binding("d", "detach", "Detach", id="monitor.detach", tooltip="Quit and leave the session running"),
        Binding("t", "results", "Table", id="monitor.results", tooltip="The results so far"),
        Binding("z", "zoom", "Zoom", id="monitor.zoom", tooltip="Show the focused panel alone, or all again"),
        Binding(
            "escape",
            "unzoom",
            "All panels",
            show=False,
            id="monitor.unzoom",
            tooltip="Show all panels again",
        ),
    ]

    def __init__(self, folder: SessionFolder, feed: Feed, unicode: bool = True) -> None:
        super().__init__()
        self.session = Session(folder.name)
        self.folder = folder
        self._feed = feed
        self._unicode = unicode
        self._pending: Iterator[Event] = iter(())
        self._caught_up = False
        self._over = False
        self._was_live = False
        self._stopping = False
        self._quit_when_over = False
        self._results_due = False
        self._plotted_at = 0.0

    def compose(self) -> ComposeResult:
        """Plan and present run, plots, devices, log."""
        yield Static(id="state", classes="headline", markup=False)
        with Horizontal(id="top"):
            yield Panel("Plan", id="plan")
            yield Panel("Now", id="now")
        with Horizontal(id="plots"):
            yield Panel("Samples/s", id="throughput", classes="exact")
            yield Panel("Loss", id="loss", classes="exact")
        yield Panel("Devices", id="devices", classes="exact")
        yield Panel("Log", id="log")
        yield Footer()

    def on_mount(self) -> None:
        """Read what there is, in a thread, then follow."""
        self._was_live = not self._feed.is_over()
        self._ticking = self.set_interval(REDRAW_SECONDS, self.tick)
        if isinstance(self._feed, ReplayFeed):
            self._caught_up = True
        else:
            self._catch_up()
        self.call_after_refresh(self.redraw)

    @work(thread=True, exit_on_error=False)
    def _catch_up(self) -> None:
        # The timer leaves the session alone until this is done.
        for event in self._feed.events():
            self.session.apply(event)
        self._caught_up = True

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
        if not self._caught_up:
            return
        # Asked before reading: what a session wrote before it went is then read after it went.
        over = self._feed.is_over()
        drained = self._fold_for(FOLD_SECONDS)
        self.session.unreadable = self._feed.unreadable
        if drained and not self._over and (over or self.session.outcome is not None):
            self._over = True
            self._ticking.stop()
            self.refresh_bindings()
            self._end()
        self._was_live |= not over
        self.redraw(plots=self._over or time.monotonic() - self._plotted_at > PLOT_SECONDS)

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
        """Move on when the session has ended, as soon as no question is open."""
        if self._quit_when_over:
            self.post_message(Leave(self.status(), f"{self.folder.name} was stopped"))
            return
        shown = any(isinstance(screen, ResultsScreen) for screen in self.app.screen_stack)
        self._results_due = not self.is_active and not shown
        following = self.folder.next_in_row() if self._was_live else None
        if self.is_active and following is not None:
            said = headline(self.session) or f"It is {self._state()}."
            self.post_message(Watch(following, instead=True, said=f"{self.folder.name} has ended. {said}"))
        elif self.is_active:
            self.action_results()

    # Drawing

    def redraw(self, plots: bool = True) -> None:
        """Draw what changed, of what is visible."""
        if not in_sight(self) or not self._caught_up:
            return
        session = self.session
        with self.app.batch_update():
            self.query_one("#state", Static).update(self._state_line(), layout=False)
            self._draw_plan(session)
            now = self._panel("now")
            if now is not None:
                now.entitle(session.runs[session.current].spec.label if session.current else "Now")
                now.show(current_run(session, now.columns))
            if plots:
                self._draw_plots(session)
            self._draw_devices(session)
            log = self._panel("log")
            if log is not None:
                at_end = log.max_scroll_y - log.scroll_y <= 1
                log.show(log_lines(session.log))
                if at_end:
                    log.scroll_end(animate=False)

    def _panel(self, name: str) -> Panel | None:
        """The panel, unless another one hides it."""
        panel = self.query_one(f"#{name}", Panel)
        return panel if self.maximized in (None, panel) else None

    def _draw_plan(self, session: Session) -> None:
        panel = self._panel("plan")
        if panel is None:
            return
        done = sum(run.state not in ("waiting", "running") for run in session.runs.values())
        panel.entitle(session.plan.title or "Plan", f"{done} of {len(session.runs)} runs")
        panel.show(plan_list(session, panel.columns))
        if not panel.has_focus:
            self.call_after_refresh(panel.reveal, current_line(session))

    def _draw_plots(self, session: Session) -> None:
        self._plotted_at = time.monotonic()
        run = session.runs.get(session.current or "") or _last_started(session)
        for name, draw in (("throughput", throughput_plot), ("loss", loss_plot)):
            panel = self._panel(name)
            if panel is not None:
                drawn = draw(run, panel.columns, panel.lines, self._unicode)
                panel.entitle(drawn.title)
                panel.show(drawn.content)

    def _draw_devices(self, session: Session) -> None:
        panel = self._panel("devices")
        if panel is None:
            return
        sample = session.cpu.last
        if not session.gpus:
            cores = [core for device in session.plan.devices for core in device.cores]
            panel.entitle("CPU", session.host.cpu.model)
            panel.show(cpu_strip(sample, panel.columns, cores))
            return
        samples = [history.last for _, history in sorted(session.gpus.items())]
        height = panel.lines if self.maximized is panel else max(4, self.size.height // 5)
        names = " + ".join(dict.fromkeys(gpu.name for gpu in session.host.gpus))
        panel.entitle(f"{len(samples)} x {names or 'GPU'}", cpu_summary(sample) if sample is not None else "")
        panel.show(gpu_strips(samples, panel.columns, height))

    def _state_line(self) -> Content:
        session = self.session
        parts: list[Content | str | tuple[str, str]] = [(self._state(), "bold $text-accent")]
        parts.append(f"  {session.name}")
        parts.append((f"  {clock(session.elapsed)}", "$muted"))
        left = None if self._over else session_seconds_left(session)
        if left is not None and session.started:
            parts.append((f"  about {clock(left)} left (estimate)", "$muted"))
        if isinstance(self._feed, ReplayFeed):
            parts.append((f"  {self._feed.speed:g} times as fast", "$text-warning"))
        if session.unreadable:
            parts.append((f"  {session.unreadable} journal lines unreadable", "$text-error"))
        return Content.assemble(*parts)

    def _state(self) -> str:
        if self.session.outcome is not None:
            return self.session.outcome
        if self._over:
            return "interrupted"
        if isinstance(self._feed, ReplayFeed):
            return "replay"
        if not self.session.started:
            return "waiting" if self.folder.is_waiting() else "starting"
        return "stopping" if self._stopping else "running"

    # What the keys do

    @property
    def is_live(self) -> bool:
        """Whether there is a running session behind this."""
        return not self._over and not isinstance(self._feed, ReplayFeed)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """A session that has ended, or is replayed, cannot be stopped."""
        return self.is_live or action not in ("stop", "skip", "detach")

    @work
    async def action_stop(self) -> None:
        """Ask, then stop the session."""
        question = stop_question(self.folder.name, len(self.folder.row_behind()))
        answer = await self.app.push_screen_wait(question)
        if answer != "cancel":
            self._stop(with_row=answer == "stop row")

    def _stop(self, with_row: bool) -> None:
        for waiting in reversed(self.folder.row_behind() if with_row else []):
            control.stop(waiting)
        if control.stop(self.folder):
            self._stopping = True
        else:
            self.notify("The session does not run on this machine any more.", severity="warning")

    @work
    async def action_skip(self) -> None:
        """Ask, then skip the run."""
        current = self.session.current
        if current is None:
            self.notify("There is no run to skip at the moment.")
            return
        label = self.session.runs[current].spec.label
        answer = await self.app.push_screen_wait(skip_question(label))
        # The run may have ended while the question stood; the next one was not meant.
        if answer == "skip" and self.session.current == current:
            control.skip(self.folder)

    def action_detach(self) -> None:
        """Quit; the session goes on."""
        name = self.folder.name
        self.post_message(Leave(0, f"{name} goes on; gpubench-tui attach {name} comes back to it"))

    def action_results(self) -> None:
        """The table."""
        self.app.push_screen(ResultsScreen(self.session, self.folder, lambda: self._over, self._unicode))

    def action_zoom(self) -> None:
        """Show the focused panel alone, or all again."""
        if self.maximized is not None:
            self.minimize()
        elif isinstance(self.focused, Panel):
            self.maximize(self.focused, container=False)
        self.call_after_refresh(self.redraw)

    def action_unzoom(self) -> None:
        """Show all panels."""
        self.minimize()
        self.call_after_refresh(self.redraw)

    def asks_before_quitting(self) -> bool:
        """Ask while the session runs: leave it or stop it."""
        if self.is_live:
            self._ask_to_quit()
        return self.is_live

    @work
    async def _ask_to_quit(self) -> None:
        behind = len(self.folder.row_behind())
        answer = await self.app.push_screen_wait(quit_question(self.folder.name, behind))
        if answer == "leave":
            self.action_detach()
        elif answer == "stop":
            self._quit_when_over = True
            self._stop(with_row=True)
            if self._over:
                self._end()

    def status(self) -> int:
        """The session's exit status; 0 while it runs, and for a replay."""
        return exit_status(self.session) if self._over and not isinstance(self._feed, ReplayFeed) else 0


def _last_started(session: Session) -> RunState | None:
    started = [run for run in session.runs.values() if run.started_at is not None]
    return started[-1] if started else None
