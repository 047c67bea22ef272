"""What screens ask of the app: they never open each other, they post one of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    import subprocess

    from ..engine.record.shelf import SessionFolder


@dataclass
class Watch(Message):
    """The user wants to watch a session; `process` is its process where this one has just started it.

    `instead`: in place of the screen that is shown, not over it; `said` is what is to be known of that one.
    """

    folder: SessionFolder
    process: subprocess.Popen[bytes] | None = None
    instead: bool = False
    said: str = ""


@dataclass
class Replay(Message):
    """The user wants to see a recorded session again, `speed` times as fast as it was."""

    folder: SessionFolder
    speed: float = 1.0


@dataclass
class ShowResults(Message):
    """The user wants to see what a session has measured."""

    folder: SessionFolder


@dataclass
class ShowSessions(Message):
    """The user wants to see all sessions."""


@dataclass
class ShowLaunch(Message):
    """The user wants to see the presets."""


@dataclass
class RunAgain(Message):
    """The user wants a session's plan to run once more."""

    folder: SessionFolder


@dataclass
class Compare(Message):
    """The user wants to see sessions side by side."""

    folders: Sequence[SessionFolder]


# The namespace keeps it apart from Textual's own Leave, of the mouse pointer.
@dataclass
class Leave(Message, namespace="route"):
    """The app shall end with this status, saying these words on the terminal it leaves."""

    status: int
    words: str = ""
