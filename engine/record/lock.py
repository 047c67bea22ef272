"""File locks that show whether a process is alive: the system releases them however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from pathlib import Path

NO_LINK = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
"""Flags that every lock is opened with: a link could lead to the lock of something else."""
ODD = {errno.EISDIR: "a folder", errno.ELOOP: "a link", errno.ENXIO: "a socket or device"}
"""Things that may have the name of a lock, by the error of opening them."""
HELD = re.compile(r"^lock:.* FLOCK +\S+ +WRITE ", re.MULTILINE)
"""Line of Linux on a descriptor that holds its file's lock."""


def take(path: Path, seconds: float = 0.0) -> int | None:
    """Lock a file, creating it if missing, and return its descriptor; None if another process holds it.

    A process that inherits the descriptor shares the lock, which lasts while either keeps it open.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o600)
    except OSError as error:
        if error.errno in ODD:
            raise OSError(error.errno, f"{ODD[error.errno]}, not a lock", str(path)) from None
        raise
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
        file = os.open(path, os.O_RDONLY | NO_LINK)
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


def holds(pid: int, path: Path) -> bool:
    """Return whether that process belongs to this user and holds the file's lock, which is taken.

    The system is asked, as anybody may have written the file. Without Linux it only tells who has it open.
    """
    try:
        lock = path.lstat()
        if not stat.S_ISREG(lock.st_mode):
            return False
        if not os.path.isdir("/proc/self/fdinfo"):  # noqa: PTH112 (not worth a Path)
            return _has_open(pid, path)
        process = Path(f"/proc/{pid}")
        if process.stat().st_uid != os.geteuid():
            return False
        files = list((process / "fd").iterdir())
    except OSError:  # it has ended, or is none of this user's
        return False
    return any(_is_held_by(file, lock) for file in files)


def _is_held_by(file: Path, lock: os.stat_result) -> bool:
    """Whether a descriptor of a process, by its entry in /proc, holds a lock."""
    try:
        if not os.path.samestat(file.stat(), lock):
            return False
        told = (file.parent.with_name("fdinfo") / file.name).read_text()
    except OSError:  # closed meanwhile
        return False
    if os.path.exists("/proc/locks"):  # noqa: PTH110 (not worth a Path)
        return HELD.search(told) is not None
    # A sandbox that does not tell of locks. Only who takes this one opens its file to write.
    flags = re.search(r"^flags:\s*([0-7]+)", told, re.MULTILINE)
    return flags is not None and int(flags[1], 8) & os.O_ACCMODE == os.O_RDWR


def _has_open(pid: int, path: Path) -> bool:
    import psutil  # late: the app's first paint does without

    try:
        process = psutil.Process(pid)
        files = process.open_files() if process.uids().effective == os.geteuid() else []
    except psutil.Error:
        return False
    return any(os.path.realpath(path) == os.path.realpath(file.path) for file in files)
