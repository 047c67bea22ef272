"""Starting sessions only where no other session of this user uses their devices, unless that is wanted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from ..plan.plan import Plan
from ..record.register import Register
from ..record.session_folder import SessionFolder
from ..record.shelf import Shelf, default_root
from .start import mark_queued, start_session

Beside = Literal["refuse", "wait", "anyway"]
"""Choice while the devices are in use: to start nothing, to start when they are free, or at once."""
Launcher = Callable[..., subprocess.Popen[bytes]]


class DevicesInUseError(Exception):
    """Other sessions use the devices; the message is one sentence."""

    def __init__(self, others: Sequence[SessionFolder], plans: Sequence[Plan]) -> None:
        names = [other.name for other in others]
        who = " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more sessions"
        use = "use" if len(names) > 1 else "uses"
        super().__init__(f"{who} {use} {_devices(plans)}: each would distort the other's measurements")
        self.others = list(others)
        """Sessions that use the devices, the one that began first at the front."""


class Placed:
    """Sessions that have been created, and are queued until they are started."""

    def __init__(
        self,
        shelf: Shelf,
        folders: Sequence[SessionFolder],
        after: Sequence[SessionFolder],
        *,
        anyway: bool = False,
    ) -> None:
        self.folders = list(folders)
        self.after = list(after)
        """Sessions that they wait for."""
        self.beside: list[SessionFolder] = []
        """Sessions that use the devices at the same time."""
        self._shelf = shelf
        self._wishes: dict[str, object] = {}
        if after:
            self._wishes["after"] = self.after
        if anyway:
            self._wishes["anyway"] = True
        self._turns: list[int] = []
        try:
            mark_queued(self.folders, self._turns)
        except OSError:
            self._let_go()
            raise

    def start(self, launch: Launcher = start_session) -> subprocess.Popen[bytes]:
        """Start them; return the process as `start_session` does. If OSError is raised, nothing is left."""
        try:
            # Nobody looks while they are not queued.
            with Register().decide(), self._shelf.decide():
                self._let_go()
                return launch(*self.folders, **self._wishes)
        except OSError:
            remove(self.folders)
            raise

    def abandon(self) -> None:
        """Remove the sessions if they have not been started."""
        if self._turns:
            self._let_go()
            remove(self.folders)

    def _let_go(self) -> None:
        while self._turns:
            os.close(self._turns.pop())


def place_sessions(
    shelf: Shelf, plans: Sequence[Plan], creations: Sequence[Callable[[], SessionFolder]], beside: Beside
) -> Placed:
    """Create a session of each of these plans, unless other sessions use their devices.

    Of two that are placed in the same instant, one sees the other. Raises DevicesInUseError where it is to
    refuse, and OSError where a session cannot be created; then nothing is left.
    """
    register = Register()
    with register.decide(), shelf.decide():
        others = sessions_in_the_way(shelf, plans)
        if others and beside == "refuse":
            raise DevicesInUseError(others, plans)
        folders: list[SessionFolder] = []
        try:
            folders.extend(create() for create in creations)
            placed = Placed(shelf, folders, others if beside == "wait" else (), anyway=beside == "anyway")
        except OSError:
            remove(folders)
            raise
        register.enter(folders)
        for folder in shelf.all():
            folder.tidy()
        placed.beside = others if beside == "anyway" else []
        return placed


def sessions_in_the_way(shelf: Shelf, plans: Sequence[Plan]) -> list[SessionFolder]:
    """Return the sessions that run or wait on this machine for devices of these plans, oldest first.

    Those of other folders are known from the user's register.
    """
    roots = dict.fromkeys((shelf.root.resolve(), default_root().resolve()))
    found = [folder for root in roots for folder in Shelf(root).all() if folder.goes_on()]
    each = {folder.path: folder for folder in (*found, *Register().under_way())}
    return sorted(
        (folder for folder in each.values() if _is_in_the_way(folder, plans)),
        key=lambda folder: folder.created,
    )


def sessions_ahead(folder: SessionFolder) -> list[SessionFolder]:
    """Return the sessions that a queued one must let go first: those that run, or have waited for longer."""
    try:
        plan = folder.request().plan
    except (OSError, msgspec.DecodeError):
        return []  # it will not begin
    others = sessions_in_the_way(Shelf(folder.path.parent), [plan])
    return [
        other
        for other in others
        if other.path != folder.path.resolve()
        and (other.is_running() or (other.is_waiting() and other.created < folder.created))
    ]


def remove(folders: Sequence[SessionFolder]) -> None:
    """Remove sessions that could not be started."""
    for folder in folders:
        shutil.rmtree(folder.path, ignore_errors=True)


def _is_in_the_way(folder: SessionFolder, plans: Sequence[Plan]) -> bool:
    try:
        if folder.is_elsewhere():
            return False
        plan = folder.request().plan
    except (OSError, msgspec.DecodeError):
        return True  # it runs, and nobody knows on what
    return any(plan.disturbs(other) for other in plans)


def _devices(plans: Sequence[Plan]) -> str:
    on_gpus = {device.index for plan in plans for spec in plan.to_run for device in spec.devices}
    if any(kind == "cpu" for plan in plans for kind, _ in plan.used_devices):
        return "the CPU's cores"
    return f"GPU{'s' if len(on_gpus) > 1 else ''} {', '.join(map(str, sorted(on_gpus)))}"
