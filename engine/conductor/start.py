"""Starting a session's process, so that it lives on its own."""

from __future__ import annotations

import os
import subprocess
import sys

from ..record.shelf import SessionFolder


def start_session(folder: SessionFolder) -> subprocess.Popen[bytes]:
    """Start the session process and return at once; it belongs to no terminal and survives this process.

    What it prints goes to the folder's `session.log`. OSError when it cannot be started.
    """
    log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            # -P: a file in the working directory must not pass for a module
            [sys.executable, "-P", "-m", __package__, str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)
