"""The Textual app: which screen comes first, the keys that work everywhere, the settings, the theme.

Nothing here imports the engine before the first paint: screens do that when they need it.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import events, on, work
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.filter import LineFilter
from textual.geometry import Size
from textual.screen import ModalScreen, Screen

from .config import Config, config_path
from .data.launch_feed import LaunchOptions
from .navigation import NavigatingApp
from .requests import ShowSessions
from .screens.launch import LaunchScreen
from .terminal.capabilities import filters_for, terminal_shows_unicode
from .terminal.hangup import leave_when_hung_up, leave_when_told
from .terminal.textual_internals import ignore_stale_resizes
from .themes import DARK, LIGHT

if TYPE_CHECKING:
    from ..engine.record.shelf import SessionFolder, Shelf

ignore_stale_resizes()

LEAST = Size(40, 10)
"""The smallest window that the screens fit into."""


def _commands() -> type[Provider]:
    from .command_palette import Commands

    return Commands


def _collect_garbage() -> None:
    """From now on, it was off for the first paint; what is there by now stays, so that keys wait less."""
    gc.freeze()
    gc.enable()


class Watched(NamedTuple):
    """The session that the app opens with."""

    folder: SessionFolder
    replay_speed: float | None = None


class GpubenchApp(NavigatingApp):
    """The app; its result is the exit status."""

    TITLE = "gpubench-tui"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_commands}
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (76, "-normal"),
        (110, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "Help", id="app.help", tooltip="Keys and words of this screen"),
        Binding("q", "quit", "Quit", id="app.quit", tooltip="Leave; asks when a session is running"),
        Binding("o", "sessions", "Sessions", id="app.sessions", tooltip="All sessions, past and running"),
        Binding(
            "ctrl+p",
            "command_palette",
            "Commands",
            id="app.palette",
            tooltip="All that can be done here, found by typing",
        ),
        Binding("f2", "toggle_theme", "Theme", show=False, id="app.theme", tooltip="Light or dark colours"),
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend",
            show=False,
            id="app.suspend",
            tooltip="Back to the shell, whose fg brings the app back; sessions go on",
        ),
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
        options: LaunchOptions | None = None,
        watched: Watched | None = None,
        config: Config | None = None,
    ) -> None:
        # A screen's own style sheet is read when it is pushed; the first one never is.
        first = "launch" if watched is None else "monitor"
        super().__init__(["app.tcss", f"screens/{first}.tcss"], root, options or LaunchOptions())
        self.config = config or Config()
        self.unicode = terminal_shows_unicode() if self.config.ascii is None else not self.config.ascii
        self._watched = watched
        self._plain = filters_for(self.unicode, self.console.color_system, self.no_color)
        self.animation_level = "none"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if self.config.theme == "light" else DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What the app's style needs beside the variables that every theme has."""
        return {"muted": "#808080"}

    def get_key_display(self, binding: Binding) -> str:
        """How a key is written: by its name where its sign cannot be shown."""
        shown = super().get_key_display(binding)
        return shown if self.unicode or shown.isascii() else binding.key

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own filters, then those for plain terminals."""
        return [*super().get_line_filters(), *(each for each in self._plain if each.enabled)]

    def on_mount(self) -> None:
        """Open the first screen; end in order when told to."""
        if not self.is_headless:
            leave_when_told(self.exit)
            leave_when_hung_up(sys.__stdin__.fileno() if sys.__stdin__ else 0)
        self.set_timer(1.0, _collect_garbage)
        for problem in self.config.problems:
            self.notify(problem, severity="warning", markup=False)
        if self.config.keys:
            self.set_keymap(dict(self.config.keys))
            self.call_after_refresh(self._check_keys)

    @on(events.Resize)
    def _fit(self, event: events.Resize) -> None:
        """Where the window is too small, say so in place of all else."""
        if event.size.width < LEAST.width or event.size.height < LEAST.height:
            from .screens.dialogs.too_small import TooSmallScreen

            if not isinstance(self.screen, TooSmallScreen):
                self.push_screen(TooSmallScreen(LEAST))

    @work(exit_on_error=False)
    async def _check_keys(self) -> None:
        """Take back the keys that make no sense, and say why; that needs all screens, so it comes late."""
        from .keymap import check_keys, declared_bindings

        keys, problems = await asyncio.to_thread(
            lambda: check_keys(self.config.keys, declared_bindings(type(self)))
        )
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
        return self.monitor(folder) if speed is None else self.replayed(folder, speed)

    def action_sessions(self) -> None:
        """Show all sessions."""
        if not isinstance(self.screen, ModalScreen):
            self.post_message(ShowSessions())

    def action_help(self) -> None:
        """Show the keys and words of the present screen."""
        from .screens.dialogs.help import HelpScreen

        if not isinstance(self.screen, ModalScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_toggle_theme(self) -> None:
        """Change between the dark and the light theme."""
        self.theme = LIGHT.name if self.current_theme.dark else DARK.name

    def action_picture(self) -> None:
        """Save a picture of the present screen, once the key that asked for it has been drawn away."""
        self.call_after_refresh(self._take_picture)

    def _take_picture(self) -> None:
        from .screens.dialogs.help_texts import screen_name
        from .screenshot import picture

        name = f"{self.TITLE}-{screen_name(self.screen)}-{time.strftime('%Y%m%d-%H%M%S')}.svg"
        self._save_picture(name, picture(self, self.title))

    @work(thread=True, exit_on_error=False)
    def _save_picture(self, name: str, text: str) -> None:
        from ..engine.record.shelf import default_root
        from .data.exports import save_export

        try:
            path = save_export(name, text, self.root or default_root())
        except OSError as error:
            self.notify(f"The picture could not be saved: {error}", severity="error", markup=False)
        else:
            self.notify(f"Saved as {path}", title="Picture", markup=False)


def run_app(root: Path | None, options: LaunchOptions, config: Config) -> int:
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
