"""Navigation: opens the screens that other screens request, and ends the app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from textual import on
from textual.notifications import SeverityLevel
from textual.screen import ModalScreen, Screen

from ..engine.text.plain import cut_in_middle
from .data.launch_feed import LaunchOptions
from .following import FollowingApp
from .requests import (
    ChooseGpus,
    GoBack,
    LeaveApp,
    Resume,
    RunAgain,
    ShowComparison,
    ShowLaunch,
    ShowMonitor,
    ShowReplay,
    ShowResults,
    ShowSessions,
    ShowTrend,
    TryRemedy,
)
from .screens.base import AsksBeforeQuitting, Quittable, has_edits
from .screens.launch import LaunchScreen
from .terminal.notices import Notices
from .workers import in_task

if TYPE_CHECKING:
    import subprocess

    from ..engine.record.session_folder import SessionFolder
    from .data.start_sessions import NewSession


LONGEST_NOTIFICATION = 400
"""Characters of a message that is shown for some seconds, at most."""


class NavigatingApp(FollowingApp):
    """An app that opens the screens; they post requests and never open each other."""

    def __init__(
        self, css_path: list[str | PurePath], root: Path | None, options: LaunchOptions, notices: Notices
    ) -> None:
        super().__init__(css_path, notices)
        self.root = root
        """Folder of all sessions; None for the platform's state folder."""
        self.options = options
        self.unicode = True
        """True if the terminal shows more than ASCII."""
        self._starting_again = False
        self.parting_messages: list[str] = []
        """Lines printed on standard error after the app has left the terminal."""

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Show a message for some seconds, shortened to what can be read meanwhile."""
        message = cut_in_middle(message, LONGEST_NOTIFICATION)
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    @on(ShowLaunch)
    def show_launch(self) -> None:
        """Return to the launch screen, or open it; a screen with edits stays open, for they would be lost."""
        for screen in reversed(self.screen_stack[1:]):
            if isinstance(screen, LaunchScreen) or has_edits(screen):
                return
            self.pop_screen()
        # The monitor that the app opened with stays below: its session determines the exit status.
        if not isinstance(self.screen_stack[0], LaunchScreen):
            self.push_screen(LaunchScreen(self.root, self.options))

    def shows_session(self, path: Path) -> bool:
        """Return whether the present screen, or the one behind its dialogs, shows that session."""
        screens = (each for each in reversed(self.screen_stack) if not isinstance(each, ModalScreen))
        folder = getattr(next(screens, None), "folder", None)
        return folder is not None and folder.path == path

    def show_progress(self) -> None:
        """Show the progress of the sessions on the launch screen."""
        for screen in self.screen_stack:
            if isinstance(screen, LaunchScreen):
                screen.show_progress(self.progress)

    @on(GoBack)
    def go_back(self, message: GoBack) -> None:
        """Return to the previous screen; from the one that the app opened with, to the launch screen."""
        if message.screen is not self.screen:
            return
        if len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            self.show_launch()

    def monitor_screen(
        self, folder: SessionFolder, process: subprocess.Popen[bytes] | None = None
    ) -> Screen[None]:
        """Return the monitor of a session; `process` is its process if the app has just started it."""
        from .data.feed import LiveFeed
        from .screens.monitor import MonitorScreen

        return MonitorScreen(folder, LiveFeed(folder, process), self.unicode)

    def replay_screen(self, folder: SessionFolder, speed: float) -> Screen[None]:
        """Return the replay of a recorded session, at `speed` times real time."""
        from .data.feed import ReplayFeed
        from .screens.replay import ReplayScreen

        return ReplayScreen(folder, ReplayFeed(folder, speed), self.unicode)

    def _back_to(self, is_wanted: Callable[[Screen[Any]], bool]) -> bool:
        """Close the screens above the wanted one; return False if there is none, or edits above it."""
        wanted = next((at for at, screen in enumerate(self.screen_stack) if is_wanted(screen)), None)
        if wanted is None or any(map(has_edits, self.screen_stack[wanted + 1 :])):
            return False
        while not is_wanted(self.screen):
            self.pop_screen()
        return True

    @on(ShowMonitor)
    async def _show_monitor(self, message: ShowMonitor) -> None:
        from .screens.monitor import MonitorScreen

        def shows_session(screen: Screen[Any]) -> bool:
            return type(screen) is MonitorScreen and screen.folder.path == message.folder.path

        if message.process is None and self._back_to(shows_session):
            return
        # The screen that the app opened with stays below.
        show = self.switch_screen if message.replace and len(self.screen_stack) > 1 else self.push_screen
        await show(self.monitor_screen(message.folder, message.process))
        if message.notice:
            self.notify(message.notice, title="Next in the queue", markup=False)

    @on(ShowReplay)
    def _show_replay(self, message: ShowReplay) -> None:
        self.push_screen(self.replay_screen(message.folder, message.speed))

    @on(ShowSessions)
    def show_sessions(self) -> None:
        """Return to the list of sessions, or open it."""
        from ..engine.record.shelf import Shelf, default_root
        from .screens.sessions import SessionsScreen

        if not self._back_to(lambda screen: isinstance(screen, SessionsScreen)):
            self.push_screen(SessionsScreen(Shelf(self.root or default_root())))

    @on(ShowResults)
    def _show_results(self, message: ShowResults) -> None:
        from .screens.results import ResultsScreen

        self.push_screen(ResultsScreen(None, message.folder, unicode=self.unicode))

    @on(RunAgain)
    def _run_again(self, message: RunAgain) -> None:
        from .data.start_sessions import once_more

        plan = partial(once_more, self.options.gpus, message.folder)
        self._begin(plan, f"Planning another run of {message.folder.name}")

    @on(Resume)
    def _resume(self, message: Resume) -> None:
        from .data.start_sessions import the_rest

        self._begin(partial(the_rest, message.folder))

    @on(TryRemedy)
    def _try(self, message: TryRemedy) -> None:
        from .data.start_sessions import trial_of

        plan = partial(trial_of, message.folder, message.run, message.diagnosis, message.remedy)
        self._begin(plan, f"Planning a trial of {message.remedy.name}")

    def _begin(self, plan: Callable[[], NewSession], notice: str = "") -> None:
        """Start the session that `plan` returns, unless one is just being started.

        A key that was pressed twice would start a second session, which would distort the first.
        """
        if self._starting_again:
            return
        self._starting_again = True
        if notice:
            self.notify(notice, timeout=3, markup=False)
        self._start_planned(plan)

    @in_task("starting the session")
    async def _start_planned(self, plan: Callable[[], NewSession]) -> None:
        from .data.start_sessions import RefusedError
        from .screens.dialogs.question import start_unless_in_use

        try:
            new = await asyncio.to_thread(plan)
            started = await start_unless_in_use(self, self.root, [new])
            if started is not None:
                await self._show_monitor(ShowMonitor(*started))
        except RefusedError as refused:
            self.notify(str(refused), severity="error", timeout=15, markup=False)
        except OSError as error:
            from ..engine.host.shortage import shortage

            why = f"The session cannot be started: {shortage(error)}."
            self.notify(why, severity="error", timeout=15, markup=False)
        finally:
            self._starting_again = False

    @on(ShowComparison)
    def _show_comparison(self, message: ShowComparison) -> None:
        from .screens.compare import CompareScreen

        self.push_screen(CompareScreen(message.folders))

    @on(ChooseGpus)
    def _choose_gpus(self, message: ChooseGpus) -> None:
        self.options = self.options._replace(gpus=message.gpus)

    @on(ShowTrend)
    def _show_trend(self, message: ShowTrend) -> None:
        from ..engine.record.shelf import Shelf, default_root
        from .screens.trend import TrendScreen

        shelf = Shelf(self.root or default_root())
        self.push_screen(TrendScreen(shelf, message.preset, message.host, self.unicode))

    @on(LeaveApp)
    def _leave(self, message: LeaveApp) -> None:
        if message.parting_message:
            self.parting_messages.append(message.parting_message)
        self.exit(message.status)

    async def action_quit(self) -> None:
        """Quit, unless a screen asks for confirmation first."""
        if isinstance(self.screen, ModalScreen):
            return
        for screen in reversed(self.screen_stack):
            if isinstance(screen, AsksBeforeQuitting) and screen.asks_before_quitting():
                return
        self.parting_messages += self.reminders()
        self.exit(self.status())

    def action_help_quit(self) -> None:
        """Quit on Ctrl+C, which Textual answers with a hint."""
        self.call_later(self.action_quit)

    def status(self) -> int:
        """Return the exit status if the app ended now: that of the session it shows."""
        for screen in self.screen_stack:
            if isinstance(screen, Quittable):
                return screen.status()
        return 0
