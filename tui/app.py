"""The Textual app: which screen comes first, the keys that work everywhere, the theme, and how it ends.

Nothing here imports the engine before the first paint: screens do that when they need it.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual import on, work
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen

from .config import Config, config_path
from .routes import Compare, Leave, Replay, RunAgain, ShowLaunch, ShowResults, ShowSessions, Watch
from .screens.launch import LaunchScreen, Options
from .screens.quittable import Quittable
from .shown import QuietApp
from .terminal import filters_for, leave_when_hung_up, leave_when_told, terminal_shows_unicode
from .themes import DARK, LIGHT

if TYPE_CHECKING:
    import subprocess

    from ..engine.record.shelf import SessionFolder, Shelf


def _commands() -> type[Provider]:
    from .palette import KeyCommands

    return KeyCommands


class Watched(NamedTuple):
    """The session that the app opens with."""

    folder: SessionFolder
    replay_speed: float | None = None


class GpubenchApp(QuietApp):
    """The app; its result is the exit status."""

    TITLE = "gpubench-tui"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_commands}
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (76, "-normal"),
        (110, "-wide"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "Help", id="app.help", tooltip="Keys and words of this screen"),
        Binding("q", "quit", "Quit", id="app.quit", tooltip="Leave; asks when a session is running"),
        Binding(
            "ctrl+p",
            "command_palette",
            "Commands",
            id="app.palette",
            tooltip="All that can be done here, found by typing",
        ),
        Binding("f2", "toggle_theme", "Theme", show=False, id="app.theme", tooltip="Light or dark colours"),
        Binding("o", "sessions", "Sessions", id="app.sessions", tooltip="All sessions, past and running"),
        # Before the screens' own keys, so that it works over a question and in the help as well.
        Binding(
            "ctrl+s",
            "picture",
            "Save a picture",
            show=False,
            priority=True,
            id="app.picture",
            tooltip="Save a picture of this screen as SVG",
        ),
    ]

    def __init__(
        self,
        root: Path | None,
        options: Options | None = None,
        watched: Watched | None = None,
        config: Config | None = None,
    ) -> None:
        # A screen's own style sheet is read when it is pushed; the first one never is.
        first = "launch" if watched is None else "monitor"
        super().__init__(css_path=["app.tcss", f"screens/{first}.tcss"])
        self.root = root
        """Where sessions are kept; None for the platform's place."""
        self.options = options or Options()
        self.config = config or Config()
        self.unicode = terminal_shows_unicode() if self.config.ascii is None else not self.config.ascii
        """Whether the terminal shows more than ASCII."""
        self.last_words: list[str] = []
        """What is said on standard error once the terminal is back."""
        self._watched = watched
        self._plain = filters_for(self.unicode, self.console.color_system)
        self.animation_level = "none"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if self.config.theme == "light" else DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What the app's style needs beside the variables that every theme has."""
        return {"muted": "#808080"}

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own filters, then those for plain terminals."""
        return [*super().get_line_filters(), *(each for each in self._plain if each.enabled)]

    def on_mount(self) -> None:
        """Open the first screen; end in order when told to."""
        if not self.is_headless:
            leave_when_told(self.exit)
            leave_when_hung_up(sys.__stdin__.fileno() if sys.__stdin__ else 0)
        self.set_timer(1.0, gc.enable)  # off since the start, for the first paint
        for problem in self.config.problems:
            self.notify(problem, severity="warning", markup=False)
        if self.config.keys:
            self.set_keymap(dict(self.config.keys))
            self.call_after_refresh(self._check_keys)

    @work(exit_on_error=False)
    async def _check_keys(self) -> None:
        """Take back the keys that make no sense, and say why; that needs all screens, so it comes late."""
        from .keys import checked

        keys, problems = await asyncio.to_thread(checked, self.config.keys)
        if problems:
            self.set_keymap(keys)
        for problem in problems:
            self.notify(problem, severity="warning", markup=False)
            self.last_words.append(f"{config_path()}: {problem}")

    def get_default_screen(self) -> Screen[None]:
        """The screen that the app opens with."""
        if self._watched is None:
            return LaunchScreen(self.root, self.options)
        folder, speed = self._watched
        return self._monitor(folder) if speed is None else self._replayed(folder, speed)

    @on(ShowLaunch)
    def show_launch(self) -> None:
        """Go back to the launch screen, or open it."""
        from .screens.launch import LaunchScreen

        for screen in reversed(self.screen_stack[1:]):
            if isinstance(screen, LaunchScreen):
                return
            self.pop_screen()
        # The monitor that the app opened with stays below: its session's is the exit status.
        if not isinstance(self.screen_stack[0], LaunchScreen):
            self.push_screen(LaunchScreen(self.root, self.options))

    def _monitor(self, folder: SessionFolder, process: subprocess.Popen[bytes] | None = None) -> Screen[None]:
        """The monitor of a session; `process` is its process when this one has just started it."""
        from .feed import LiveFeed
        from .screens.monitor import MonitorScreen

        return MonitorScreen(folder, LiveFeed(folder, process), self.unicode)

    def _replayed(self, folder: SessionFolder, speed: float) -> Screen[None]:
        from .feed import ReplayFeed
        from .screens.replay import ReplayScreen

        return ReplayScreen(folder, ReplayFeed(folder, speed), self.unicode)

    def _back_to(self, is_wanted: Callable[[Screen[Any]], bool]) -> bool:
        """Close what is over the screen wanted; False when there is none."""
        if not any(map(is_wanted, self.screen_stack)):
            return False
        while not is_wanted(self.screen):
            self.pop_screen()
        return True

    @on(Watch)
    async def _watch(self, message: Watch) -> None:
        from .screens.monitor import MonitorScreen

        def shows_it(screen: Screen[Any]) -> bool:
            return type(screen) is MonitorScreen and screen.folder.path == message.folder.path

        if message.process is None and self._back_to(shows_it):
            return
        # The screen that the app opened with stays below.
        show = self.switch_screen if message.instead and len(self.screen_stack) > 1 else self.push_screen
        await show(self._monitor(message.folder, message.process))
        if message.said:
            self.notify(message.said, title="Next in the row", markup=False)

    @on(Replay)
    def _replay(self, message: Replay) -> None:
        self.push_screen(self._replayed(message.folder, message.speed))

    @on(ShowSessions)
    def show_sessions(self) -> None:
        """Go back to the list of sessions, or open it."""
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
        self.notify(f"Planning {message.folder.name} again for this machine", timeout=3, markup=False)
        self._start_again(message.folder)

    @work(thread=True, exclusive=True, group="again", exit_on_error=False)
    def _start_again(self, folder: SessionFolder) -> None:
        from .again import RefusedError, run_again

        try:
            self.post_message(Watch(*run_again(self.root, self.options.gpus, folder)))
        except RefusedError as refused:
            self.notify(str(refused), severity="error", timeout=15, markup=False)

    @on(Compare)
    def _compare(self, message: Compare) -> None:
        from .screens.compare import CompareScreen

        self.push_screen(CompareScreen(message.folders))

    @on(Leave)
    def _leave(self, message: Leave) -> None:
        if message.words:
            self.last_words.append(message.words)
        self.exit(message.status)

    async def action_quit(self) -> None:
        """Leave, unless the screen has something to ask first."""
        if isinstance(self.screen, ModalScreen):
            return
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Quittable) and screen.asks_before_quitting():
                return
        self.exit(self.status())

    def action_help_quit(self) -> None:
        """Ctrl+C is how many people leave."""
        self.call_later(self.action_quit)

    def status(self) -> int:
        """The exit status if the app ended now: that of the session it shows."""
        for screen in self.screen_stack:
            if isinstance(screen, Quittable):
                return screen.status()
        return 0

    def action_sessions(self) -> None:
        """Show all sessions."""
        if not isinstance(self.screen, ModalScreen):
            self.post_message(ShowSessions())

    def action_help(self) -> None:
        """Show the keys and words of the present screen."""
        from .screens.help import HelpScreen

        if not isinstance(self.screen, ModalScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_toggle_theme(self) -> None:
        """Change between the dark and the light theme."""
        self.theme = LIGHT.name if self.current_theme.dark else DARK.name

    def action_picture(self) -> None:
        """Save a picture of the present screen, once the key that asked for it has been drawn away."""
        self.call_after_refresh(self._take_picture)

    def _take_picture(self) -> None:
        from .picture import picture

        screen = type(self.screen).__name__.removesuffix("Screen").lower()
        self._save_picture(
            f"{self.TITLE}-{screen}-{time.strftime('%Y%m%d-%H%M%S')}.svg", picture(self, self.title)
        )

    @work(thread=True, exit_on_error=False)
    def _save_picture(self, name: str, text: str) -> None:
        from ..engine.record.shelf import default_root
        from .save import save

        try:
            path = save(name, text, self.root or default_root())
        except OSError as error:
            self.notify(f"The picture could not be saved: {error}", severity="error", markup=False)
        else:
            self.notify(f"Saved as {path}", title="Picture", markup=False)


def run_app(root: Path | None, options: Options, config: Config) -> int:
    """The app from its launch screen, its sessions in `root`; returns the exit status."""
    return _run(GpubenchApp(root, options, config=config))


def watch(shelf: Shelf, watched: Watched, config: Config) -> int:
    """The monitor on a session, or its replay; returns the exit status."""
    return _run(GpubenchApp(shelf.root, watched=watched, config=config))


def _run(app: GpubenchApp) -> int:
    status = app.run()
    for line in app.last_words:
        print(line, file=sys.stderr)
    if status is None:
        return app.return_code or 0
    return status
