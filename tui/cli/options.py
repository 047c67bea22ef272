"""What a command's options stand for: the shelf, a session on it, this machine, the terminal."""

from __future__ import annotations

import gc
import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...engine.host.facts import Host
    from ...engine.record.session import Session
    from ...engine.record.shelf import SessionFolder, Shelf


class UsageError(Exception):
    """What was asked cannot be done; the message says why, and what would be right."""


def shelf(options: Namespace) -> Shelf:
    """Where sessions are kept."""
    from ...engine.record.shelf import Shelf, default_root

    return Shelf(options.sessions_dir or default_root())


def inspect(options: Namespace) -> Host:
    """This machine with the GPUs asked for. Raises UsageError."""
    from ...engine.host.inspect import inspect_host

    try:
        return inspect_host(getattr(options, "gpus", None))
    except ValueError as error:
        raise UsageError(f"--gpus: {error}") from None


def find(options: Namespace, name: str | None = None) -> SessionFolder:
    """The session of that name, or else the one that the options name. Raises UsageError."""
    try:
        return shelf(options).find(options.session if name is None else name)
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None


def running(options: Namespace) -> SessionFolder:
    """The session named, or the newest that runs. Raises UsageError."""
    if options.session is not None:
        folder = find(options)
        if not folder.goes_on():
            raise UsageError(
                f"{folder.name} does not run any more; gpubench-tui report {folder.name} prints it"
            )
        return folder
    newest = next(iter(all_running(options)), None)
    if newest is None:
        raise UsageError("no session runs; gpubench-tui sessions lists the past ones")
    return newest


def all_running(options: Namespace) -> list[SessionFolder]:
    """Those on the shelf that run, newest first."""
    return [folder for folder in shelf(options).all() if folder.is_running()]


def read(folder: SessionFolder) -> Session:
    """What the session has come to. Raises UsageError."""
    from ...engine.record.session import read_session

    try:
        return read_session(folder.journal)
    except FileNotFoundError:
        raise UsageError(f"{folder.name} has no journal; {folder.log} may say why") from None


def on_terminal() -> bool:
    """Whether the app can be shown."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def need_terminal(instead: str) -> None:
    """Refuse what cannot do without a terminal; `instead` says what can. Raises UsageError."""
    if not on_terminal():
        dumb = " that can move its cursor, and TERM is dumb" if os.environ.get("TERM") == "dumb" else ""
        raise UsageError(f"this needs a terminal{dumb}; {instead}")


def watch(options: Namespace, folder: SessionFolder, replay_speed: float | None = None) -> int:
    """The app on the session's monitor, or its replay; returns the exit status."""
    gc.disable()  # the app enables it once its first paint is out
    from .. import app

    return app.watch(shelf(options), app.Watched(folder, replay_speed), options.config)
