"""Start of a session's process, independent of the process that starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import zip_longest

from ..record.session_folder import SessionFolder

ANYWAY = "--anyway"
"""Option of a queue whose sessions look for no others."""


def start_session(
    *folders: SessionFolder, after: Sequence[SessionFolder] = (), anyway: bool = False
) -> subprocess.Popen[bytes]:
    """Run the sessions one after the other, once those of `after` have ended; return at once.

    When its turn comes, each waits until no session uses its devices, unless it is to be run `anyway`.

    The process returned is that of a single session, or one that starts the process of each session in
    turn. It belongs to no terminal and survives this process. Each session counts as waiting until it runs.
    Output goes to the first folder's `session.log`. Raises OSError when the process cannot be started.
    """
    turns: list[int] = []
    try:
        mark_queued(folders, turns)
        options = [ANYWAY] * anyway + [f"--after={other.path}" for other in after]
        paths = [str(folder.path) for folder in folders]
        return start_process(folders[0], [*options, *paths], turns)
    finally:
        for file in turns:
            os.close(file)


def mark_queued(folders: Sequence[SessionFolder], turns: list[int]) -> None:
    """Queue the sessions one after the other, for as long as the files are open that are added to `turns`.

    Raises OSError.
    """
    for folder, following in zip_longest(folders, folders[1:]):
        turns.append(folder.wait_for_turn(following))


def start_process(
    folder: SessionFolder, arguments: Sequence[str], files: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start this package as a process that inherits `files`, with the folder's log. Raises OSError."""
    log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            # -P: a file in the working directory must not shadow a module
            [sys.executable, "-P", "-m", __package__, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=files,
        )
    finally:
        os.close(log)
