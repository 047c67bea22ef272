"""The Textual app: its first screen, the keys that work everywhere, settings and theme.

Nothing here imports the engine before the first paint; screens import it when they need it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import events, on
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.filter import LineFilter
from textual.geometry import Size
from textual.screen import ModalScreen, Screen

from .config import Config, config_path, remember_theme, remembered_theme
from .data.launch_feed import LaunchOptions
from .navigation import NavigatingApp
from .requests import ShowSessions
from .screens.launch import LaunchScreen
from .terminal.capabilities import ask_terminal_for_size, filters_for, terminal_shows_unicode
from .terminal.hangup import exit_on_hangup, exit_on_signal
from .terminal.leaving import LeavableExecutor
from .terminal.notices import Notices
from .terminal.textual_internals import (
    ignore_stale_resizes,
    resume_when_continued,
    show_control_characters,
    tell_escape_from_alt,
)
from .themes import DARK, LIGHT
from .workers import in_task, in_thread

if TYPE_CHECKING:
    from ..engine.record.session_folder import SessionFolder
    from ..engine.record.shelf import Shelf

ignore_stale_resizes()
show_control_characters()
tell_escape_from_alt()

SMALLEST_WINDOW = Size(40, 10)
"""Smallest window that the screens fit into, in cells."""


def _palette_provider() -> type[Provider]:
    from .command_palette import PaletteProvider

    return PaletteProvider


def _collect_garbage() -> None:
    """Turn on garbage collection, which was off until the first paint.

    Objects allocated so far stay; frozen, they no longer delay keys.
    """
    gc.freeze()
    gc.enable()


def _notices(config: Config) -> Notices:
    return Notices(config.bell, config.notification, config.window_title)


class InitialSession(NamedTuple):
    """The session that the app opens with."""

    folder: SessionFolder
    replay_speed: float | None = None
    """Speed of its replay, as a multiple of real time; None for the live monitor."""


class GpubenchApp(NavigatingApp):
    """The app; the value it returns is the exit status."""

    TITLE = "gpubench-tui"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette_provider}
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (76, "-normal"),
        (110, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "Help", id="app.help", tooltip="Keys and terms of this screen"),
        Binding("q", "quit", "Quit", id="app.quit", tooltip="Quit; asks first while a session is running"),
        Binding("o", "sessions", "Sessions", id="app.sessions", tooltip="All sessions, past and running"),
        Binding(
            "ctrl+p",
            "command_palette",
            "Commands",
            id="app.palette",
            tooltip="Find any action by typing",
        ),
        Binding(
            "f2",
            "toggle_theme",
            "Theme",
            show=False,
            id="app.theme",
            tooltip="Switch between light and dark colours",
        ),
        Binding(
            "f4",
            "doctor",
            "Doctor",
            show=False,
            id="app.doctor",
            tooltip="Inspect this machine: hardware, GPU links, versions, and what limits a benchmark here",
        ),
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend",
            show=False,
            id="app.suspend",
            tooltip="Return to the shell; fg brings the app back, sessions continue",
        ),
        # Takes priority over the screens' own keys, to work in dialogs and in the help as well.
        Binding(
            "ctrl+s",
            "save_screenshot",
            "Screenshot",
            show=False,
            priority=True,
            id="app.screenshot",
            tooltip="Save a screenshot of this screen as SVG",
        ),
    ]

    def __init__(
        self,
        root: Path | None,
        options: LaunchOptions | None = None,
        initial: InitialSession | None = None,
        config: Config | None = None,
    ) -> None:
        # A screen's style sheet is read when the screen is pushed; the first screen never is.
        first = "launch" if initial is None else "monitor"
        self.config = config or Config()
        super().__init__(
            ["app.tcss", f"screens/{first}.tcss"], root, options or LaunchOptions(), _notices(self.config)
        )
        self.unicode = terminal_shows_unicode() if self.config.ascii is None else not self.config.ascii
        self._initial = initial
        self._reductions = filters_for(self.unicode, self.console.color_system, self.no_color)
        self.animation_level = "none"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        theme = self.config.theme or remembered_theme()
        self.theme = LIGHT.name if theme == "light" else DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the variables that the style sheets use beside those of every theme."""
        return {"muted": "#808080"}

    def get_key_display(self, binding: Binding) -> str:
        """Return the symbol of a key, or its name on a terminal that cannot show the symbol."""
        shown = super().get_key_display(binding)
        return shown if self.unicode or shown.isascii() else binding.key

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return Textual's filters, then those for terminals that show less."""
        return [*super().get_line_filters(), *(each for each in self._reductions if each.enabled)]

    def on_load(self) -> None:
        """Have the threads of the app not keep it from ending."""
        asyncio.get_running_loop().set_default_executor(LeavableExecutor())

    def on_mount(self) -> None:
        """Prepare the app: signals, garbage collection, warnings about the config file, the user's keys."""
        if not self.is_headless:
            exit_on_signal(self.exit)
            exit_on_hangup(*(stream.fileno() for stream in (sys.__stdin__, sys.__stderr__) if stream))
            resume_when_continued(self)
        self.set_timer(1.0, _collect_garbage)
        for problem in self.config.problems:
            self.notify(problem, severity="warning", markup=False)
        if self.config.keys:
            self.set_keymap(dict(self.config.keys))
            self.call_after_refresh(self._check_keys)

    @on(events.Resize)
    def _fit(self, event: events.Resize) -> None:
        """Cover a window that is too small with a note of the size it needs."""
        if event.size.width < SMALLEST_WINDOW.width or event.size.height < SMALLEST_WINDOW.height:
            from .screens.dialogs.too_small import TooSmallScreen

            if not isinstance(self.screen, TooSmallScreen):
                self.push_screen(TooSmallScreen(SMALLEST_WINDOW))

    @in_task("checking the keys of the config file")
    async def _check_keys(self) -> None:
        """Revoke invalid keys and say why; runs late because it imports all screens."""
        from .keymap import check_keys, declared_bindings

        keys, problems = await asyncio.to_thread(
            lambda: check_keys(self.config.keys, declared_bindings(type(self)))
        )
        if problems:
            self.set_keymap(keys)
        for problem in problems:
            self.notify(problem, severity="warning", markup=False)
            self.parting_messages.append(f"{config_path()}: {problem}")

    def get_default_screen(self) -> Screen[None]:
        """Return the screen that the app opens with."""
        if self._initial is None:
            return LaunchScreen(self.root, self.options)
        folder, speed = self._initial
        return self.monitor_screen(folder) if speed is None else self.replay_screen(folder, speed)

    def action_sessions(self) -> None:
        """Show all sessions."""
        if not isinstance(self.screen, ModalScreen):
            self.post_message(ShowSessions())

    def action_doctor(self) -> None:
        """Show what this machine is and what will limit a benchmark on it."""
        from .screens.doctor import DoctorScreen

        if not isinstance(self.screen, ModalScreen | DoctorScreen):
            self.push_screen(DoctorScreen(self.root))

    def action_help(self) -> None:
        """Show the keys and terms of the current screen."""
        from .screens.dialogs.help import HelpScreen

        if not isinstance(self.screen, ModalScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_toggle_theme(self) -> None:
        """Switch between the dark and the light theme, and keep it unless the config file sets one."""
        self.theme = LIGHT.name if self.current_theme.dark else DARK.name
        if self.config.theme is None:
            with contextlib.suppress(OSError):
                remember_theme("dark" if self.current_theme.dark else "light")

    def action_save_screenshot(self) -> None:
        """Save a screenshot of the current screen, after the pressed key is no longer highlighted."""
        self.call_after_refresh(self._take_screenshot)

    def _take_screenshot(self) -> None:
        from .screens.dialogs.help_texts import screen_name
        from .screenshot import screenshot_svg

        name = f"{self.TITLE}-{screen_name(self.screen)}-{time.strftime('%Y%m%d-%H%M%S')}.svg"
        self._save_screenshot(name, screenshot_svg(self, self.title))

    @in_thread("saving the screenshot", feed=True)
    def _save_screenshot(self, name: str, text: str) -> None:
        from ..engine.record.shelf import default_root
        from .data.exports import save_export

        try:
            path = save_export(name, text, self.root or default_root())
        except OSError as error:
            self.notify(f"The screenshot could not be saved: {error}", severity="error", markup=False)
        else:
            self.notify(f"Saved as {path}", title="Screenshot", markup=False)


def open_launch_screen(root: Path | None, options: LaunchOptions, config: Config) -> int:
    """Run the app from its launch screen, with sessions in `root`; return the exit status."""
    ask_terminal_for_size()
    return _run(GpubenchApp(root, options, config=config))


def open_session(shelf: Shelf, initial: InitialSession, config: Config) -> int:
    """Run the app on a session's monitor or replay; return the exit status."""
    ask_terminal_for_size()
    return _run(GpubenchApp(shelf.root, initial=initial, config=config))


def _run(app: GpubenchApp) -> int:
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio then ends the app in order
    status = app.run()
    for line in app.parting_messages:
        print(line, file=sys.stderr)
    if status is None:
        return app.return_code or 0
    return status
