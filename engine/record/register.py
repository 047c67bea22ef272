"""Register of the sessions of one user on one machine that may be under way, wherever their folders are.

It only says where to look: whether a session runs or waits is told by the locks in its own folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import platformdirs

from ..text.files import make_private_folder, read_whole, write_private
from .lock import take
from .session_folder import SessionFolder
from .shelf import DECIDE_SECONDS

DECIDING = ".deciding"
"""Name of the file that a process locks while it decides whether to start sessions."""


class Register:
    """A folder with a file for each session, which holds the path of the session's folder.

    It may be impossible to write: then sessions in other folders are not known of.
    """

    def __init__(self) -> None:
        # A home folder may serve many machines.
        self._root = platformdirs.user_state_path("gpubench-tui") / "under-way" / socket.gethostname()

    @contextlib.contextmanager
    def decide(self) -> Iterator[None]:
        """Keep other processes of this user from deciding on sessions meanwhile, for a while at most."""
        file: int | None = None
        with contextlib.suppress(OSError):
            make_private_folder(self._root)
            file = take(self._root / DECIDING, seconds=DECIDE_SECONDS)
        try:
            yield
        finally:
            if file is not None:
                os.close(file)

    def enter(self, folders: Sequence[SessionFolder]) -> None:
        """Enter sessions that have been queued; call it within `decide`."""
        with contextlib.suppress(OSError):
            for folder in folders:
                path = os.fsencode(folder.path.resolve())
                write_private(self._root / hashlib.sha256(path).hexdigest()[:32], path)

    def under_way(self) -> list[SessionFolder]:
        """Return the sessions that run or wait, and remove the others; call it within `decide`.

        Of those it frees what they have reserved, if they were killed.
        """
        found: list[SessionFolder] = []
        with contextlib.suppress(OSError):
            for entry in self._root.iterdir():
                # Whatever else is there does not hide the others.
                with contextlib.suppress(OSError, ValueError):
                    if (folder := _named_in(entry)) is None:
                        continue
                    if folder.goes_on():
                        found.append(folder)
                    else:
                        folder.tidy()
                        entry.unlink(missing_ok=True)
        return found


def _named_in(entry: Path) -> SessionFolder | None:
    return None if entry.name == DECIDING else SessionFolder(Path(os.fsdecode(read_whole(entry))))
