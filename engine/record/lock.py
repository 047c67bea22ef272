"""File locks that show whether a process is alive: the system releases them however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path


def take(path: Path, seconds: float = 0.0) -> int | None:
    """Lock a file, creating it if missing, and return its descriptor; None if another process holds it.

    A process that inherits the descriptor shares the lock, which lasts while either keeps it open.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    # Someone who merely asks whether it is held holds it for a moment.
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(file)
                return None
            time.sleep(0.01)
        except OSError:
            os.close(file)
            raise
        else:
            return file


def is_taken(path: Path) -> bool:
    """Return whether a process holds the file's lock."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks cannot say
        return False
    finally:
        os.close(file)
    return False
