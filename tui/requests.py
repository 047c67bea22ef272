"""Requests: messages by which screens ask the app to open another screen or to end.

Screens never open each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message
from textual.screen import Screen

if TYPE_CHECKING:
    import subprocess

    from ..engine.plan.remedy import Remedy
    from ..engine.record.session_folder import SessionFolder


@dataclass
class ShowMonitor(Message):
    """Request the live monitor of a session."""

    folder: SessionFolder
    process: subprocess.Popen[bytes] | None = None
    """Process of the session, if the app has just started it."""
    replace: bool = False
    """Replace the current screen instead of covering it."""
    notice: str = ""
    """Notification to show with the monitor; empty for none."""


@dataclass
class ShowReplay(Message):
    """Request the replay of a recorded session."""

    folder: SessionFolder
    speed: float = 1.0
    """Multiple of real time."""


@dataclass
class ShowResults(Message):
    """Request the results of a session."""

    folder: SessionFolder


@dataclass
class ShowSessions(Message):
    """Request the list of all sessions."""


@dataclass
class ShowLaunch(Message):
    """Request the launch screen."""


@dataclass
class FollowSession(Message):
    """Request that the app follow a session to its end, whichever screen is shown."""

    folder: SessionFolder
    process: subprocess.Popen[bytes] | None = None
    """Process of the session, if it is a child."""


@dataclass
class GoBack(Message):
    """Request the screen before this one, or the launch screen if the app opened with this one."""

    screen: Screen[Any]
    """Screen to leave; a request for one that is no longer on top is void."""


@dataclass
class RunAgain(Message):
    """Request a new session from the preset of an earlier one."""

    folder: SessionFolder


@dataclass
class Resume(Message):
    """Request a new session that measures what an earlier one lacks."""

    folder: SessionFolder


@dataclass
class TryRemedy(Message):
    """Request a new session that tries a remedy on a run of an earlier one."""

    folder: SessionFolder
    run: str
    """Id of the run."""
    diagnosis: str
    """Name of the diagnosis to cure."""
    remedy: Remedy


@dataclass
class ShowComparison(Message):
    """Request the comparison of sessions."""

    folders: Sequence[SessionFolder]


@dataclass
class ShowTrend(Message):
    """Request the trend of a preset on a machine."""

    preset: str
    host: str


@dataclass
class LeaveApp(Message):
    """Request the end of the app."""

    status: int
    """Exit status."""
    parting_message: str = ""
    """Line printed on standard error after the app has left the terminal; empty for none."""


@dataclass
class ChooseGpus(Message):
    """Request that runs of every preset use these GPUs only."""

    gpus: Sequence[int] | None
    """Indices of the GPUs; None for all."""
