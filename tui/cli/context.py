"""The context of a command: where sessions are kept, which GPUs and overrides apply, the config file.

Commands import what they need when they run: `--help` and the app's first paint wait for nothing else.
"""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Config

if TYPE_CHECKING:
    from ...engine.host.facts import Host
    from ...engine.record.session import Session
    from ...engine.record.session_folder import SessionFolder
    from ...engine.record.shelf import Shelf


class UsageError(Exception):
    """A request that cannot be carried out; the message says why, and what would be right."""


@dataclass(frozen=True)
class Context:
    """The settings that any command may use, resolved once from the command line and the config file."""

    config: Config = field(default_factory=Config)
    sessions_dir: Path | None = None
    """The folder of all sessions; None for the platform's state folder."""
    gpus: tuple[int, ...] | None = None
    """Indices of the GPUs to use; None for all."""
    overrides: tuple[str, ...] = ()
    """`key=value` for any key of a preset; a later one prevails."""

    def shelf(self) -> Shelf:
        """Return the shelf of all sessions."""
        from ...engine.record.shelf import Shelf, default_root

        return Shelf(self.sessions_dir or default_root())

    def inspect_host(self) -> Host:
        """Inspect this machine, limited to the chosen GPUs. Raises UsageError."""
        from ...engine.host.inspect import inspect_host

        try:
            return inspect_host(self.gpus)
        except ValueError as error:
            raise UsageError(f"--gpus: {error}") from None

    def check_overrides(self) -> None:
        """Refuse settings that no preset takes. Raises UsageError."""
        if not self.overrides:
            return
        from ...engine.plan.preset.library import refused_by_all

        if why := refused_by_all(self.overrides):
            raise UsageError(why)

    def find_session(self, name: str | None, command: str = "") -> SessionFolder:
        """Return the session of that name, unique prefix or path; the newest for None. Raises UsageError.

        `command`: the command that takes the newest session where none is named, if there is one.
        """
        from ...engine.record.shelf import SeveralSessionsError

        try:
            return self.shelf().find(name)
        except SeveralSessionsError as error:
            newest = f"; gpubench-tui {command} without a name takes {self.shelf().find(None).name}"
            raise UsageError(f"{error}{newest if command else ''}") from None
        except LookupError as error:
            raise UsageError(str(error.args[0])) from None

    def find_own_session(self, name: str) -> SessionFolder:
        """Return the session of that name, to be changed. Raises UsageError."""
        try:
            return self.shelf().find_own(name)
        except LookupError as error:
            raise UsageError(str(error.args[0])) from None

    def running_sessions(self) -> list[SessionFolder]:
        """Return all running sessions, newest first."""
        return [folder for folder in self.shelf().all() if folder.is_running()]

    def find_running_session(self, name: str | None) -> SessionFolder:
        """Return the session of that name, or the newest running one for None. Raises UsageError."""
        if name is not None:
            folder = self.find_session(name)
            if not folder.goes_on():
                raise UsageError(
                    f"{folder.name} is not running; gpubench-tui report {folder.name} prints its results"
                )
            return folder
        newest = next(iter(self.running_sessions()), None)
        if newest is None:
            raise UsageError("no session is running; gpubench-tui sessions lists past ones")
        return newest

    def open_monitor(self, folder: SessionFolder, replay_speed: float | None = None) -> int:
        """Open the app on a session's monitor, or on its replay; return the exit status."""
        gc.disable()  # the app enables it after its first paint
        from .. import app

        return app.open_session(self.shelf(), app.InitialSession(folder, replay_speed), self.config)


def read_recorded(folder: SessionFolder) -> Session:
    """Read a session's journal. Raises UsageError if there is none, or no event in it."""
    from ...engine.record.session import read_session
    from ..data.log_tail import last_words

    try:
        session = read_session(folder.journal)
    except FileNotFoundError:
        raise UsageError(f"{folder.name} has no journal: {last_words(folder.log)}") from None
    if not session.started:
        raise UsageError(f"{folder.name} has recorded nothing that can be read: see {folder.journal}")
    return session


def on_terminal() -> bool:
    """Return whether the standard streams can show the app, which Textual draws on standard error."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb"


def require_terminal(alternative: str) -> None:
    """Refuse to go on without a terminal; `alternative` says what works without. Raises UsageError."""
    if not on_terminal():
        dumb = " that can move its cursor, and TERM is dumb" if os.environ.get("TERM") == "dumb" else ""
        raise UsageError(f"this needs a terminal{dumb}; {alternative}")
