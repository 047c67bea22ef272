"""The monitor of a session, running or ended."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from ...engine.analysis.analysis import analyse
from ...engine.analysis.time_left import Countdown
from ...engine.conductor import control
from ...engine.record.exit_status import exit_status
from ...engine.record.session import Session
from ...engine.record.session_folder import SessionFolder
from ..data.feed import LiveFeed
from ..requests import FollowSession, LeaveApp, ShowMonitor
from ..workers import in_task, in_thread
from .dialogs.question import quit_question, skip_question, stop_question
from .session_screen import VIEW_KEYS, SessionScreen

MARGINS = 2
"""Cells of the headline's line beside its text."""


class MonitorScreen(SessionScreen[LiveFeed]):
    """Follows the journal of a session; requests to the session are sent as signals."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "s",
            "stop",
            "Stop",
            id="monitor.stop",
            tooltip="Stop the session; completed measurements are kept",
        ),
        Binding("k", "skip", "Skip run", id="monitor.skip", tooltip="Skip the rest of the current run"),
        Binding("d", "detach", "Detach", id="monitor.detach", tooltip="Quit and leave the session running"),
        *VIEW_KEYS,
    ]

    def __init__(self, folder: SessionFolder, feed: LiveFeed, unicode: bool = True) -> None:
        super().__init__(folder, feed, unicode)
        self._ready = False
        self._was_live = False
        self._stopping = False
        self._quit_when_over = False
        self._countdown = Countdown()

    def on_mount(self) -> None:
        """Read the journal so far in a thread, then follow it."""
        # Textual calls the handler of the base class too.
        self._was_live = not self._feed.is_over()
        if self._was_live:
            self.post_message(FollowSession(self.folder, self._feed.process))
        self._catch_up()

    @in_thread("reading the journal")
    def _catch_up(self) -> None:
        # An error will occur again when following, and is reported then.
        with suppress(OSError):
            for event in self._feed.events():
                self.session.apply(event)
        self._ready = True

    def _heard(self, over: bool) -> None:
        self._was_live |= not over

    def _end(self) -> None:
        if self._quit_when_over:
            self.post_message(LeaveApp(self.status(), f"{self.folder.name} was stopped"))
        else:
            super()._end()

    def _move_on(self) -> None:
        """Continue with the next session in the queue, or with the results."""
        following = self.folder.next_in_queue() if self._was_live else None
        if following is None:
            self.action_results()
            return
        outcome = analyse(self.session).headline or f"It is {self.state()}."
        self.post_message(
            ShowMonitor(following, replace=True, notice=f"{self.folder.name} has ended. {outcome}")
        )

    def _remarks(self) -> list[Content | str | tuple[str, str]]:
        remarks = super()._remarks()
        if not self._over and self.session.started and (left := self._countdown.look(self.session)):
            before = Content.assemble(f"{self.state()}  {self.session.name}", *remarks).cell_length
            room = self.size.width - MARGINS - before
            fitting = next((words for words in left if len(words) <= room), left[-1])
            remarks.append((f"  {fitting}", "$muted"))
        return remarks

    def seconds_left(self) -> float | None:
        """Return the time that the headline says is left, in s; None while unknown."""
        return self._countdown.seconds

    def state(self) -> str:
        """Return the state of the session in one word."""
        if self._over or self.session.outcome is not None:
            return super().state()
        if not self.session.started:
            return "waiting" if self.folder.is_waiting() else "starting"
        return "stopping" if self._stopping else "running"

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable Stop, Skip and Detach once the session has ended."""
        if self._over and action in ("stop", "skip", "detach"):
            return False
        return super().check_action(action, parameters)

    @in_task("stopping the session")
    async def action_stop(self) -> None:
        """Ask, then stop the session."""
        is_tune = self.session.plan.tune is not None
        question = stop_question(self.folder.name, len(self.folder.queued_behind()), is_tune)
        answer = await self.app.push_screen_wait(question)
        if answer != "cancel":
            self._stop(with_queued=answer == "stop all")

    def _stop(self, with_queued: bool) -> None:
        for waiting in reversed(self.folder.queued_behind() if with_queued else []):
            control.stop_session(waiting)
        if control.stop_session(self.folder):
            self._stopping = True
        else:
            self.notify("No process of yours on this machine runs the session.", severity="warning")

    @in_task("skipping the run")
    async def action_skip(self) -> None:
        """Ask, then skip the run."""
        current = self.session.current
        if current is None:
            self.notify("No run is in progress.")
            return
        label = self.session.runs[current].spec.label
        answer = await self.app.push_screen_wait(skip_question(label, _after_skipped(self.session)))
        # The run may have ended meanwhile; the next one must not be skipped.
        if answer == "skip" and self.session.current == current:
            control.skip_run(self.folder)

    def action_detach(self) -> None:
        """Quit and leave the session running."""
        name = self.folder.name
        self.post_message(LeaveApp(0, f"{name} keeps running; to return: gpubench-tui attach {name}"))

    def asks_before_quitting(self) -> bool:
        """Ask whether to leave or stop the session, if it is running."""
        if not self._over:
            self._ask_to_quit()
        return not self._over

    @in_task("quitting")
    async def _ask_to_quit(self) -> None:
        behind = len(self.folder.queued_behind())
        answer = await self.app.push_screen_wait(quit_question(self.folder.name, behind))
        if answer == "leave":
            self.action_detach()
        elif answer == "stop":
            self._quit_when_over = True
            self._stop(with_queued=True)
            if self._over:
                self._end()

    def status(self) -> int:
        """Return the exit status of the session; 0 while it is running."""
        return exit_status(self.session) if self._over else 0


def _after_skipped(session: Session) -> str:
    """Say what follows when the current run is skipped."""
    run = session.runs.get(session.current or "")
    if session.plan.tune is not None:
        is_start = run is not None and run.spec.attempt is not None and run.spec.attempt.purpose == "start"
        return "A tune ends without its start." if is_start else "The tune goes on without what it tries."
    is_last = not any(run.state == "waiting" for run in session.runs.values())
    return "It is the last run: the session then ends." if is_last else "The next run then starts."
