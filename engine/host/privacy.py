"""Folders on a machine of many users: which of them nobody else can change."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from pathlib import Path

WRITABLE = stat.S_IWGRP | stat.S_IWOTH
ROOT = 0


class NotPrivateError(OSError):
    """Raised for a folder that others can change; the message says why, without a full stop."""


def own_folder(path: Path) -> Path:
    """Return the real path of a folder of this user that nobody else can change, created if missing.

    Raises NotPrivateError when others can, and OSError when it cannot be created.
    """
    real = Path(os.path.realpath(path))
    for folder in reversed((real, *real.parents)):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    status = real.stat()
    if status.st_uid != os.geteuid():
        raise NotPrivateError(f"{real} belongs to {_user(status.st_uid)}")
    if status.st_mode & WRITABLE and not _is_own_group(status):
        raise NotPrivateError(f"other users can write to {real}")
    check_above(real)
    if not os.access(real, os.W_OK | os.X_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(real))
    return real


def check_above(real: Path) -> None:
    """Raise NotPrivateError when others can put another folder in the place of this real path."""
    for folder in real.parents:
        status = folder.stat()
        if status.st_uid not in (ROOT, os.geteuid(), _root_in_namespace()):
            raise NotPrivateError(f"{real} lies in {folder}, which belongs to {_user(status.st_uid)}")
        # In a sticky folder, such as /tmp, only their owner can rename the folders.
        if status.st_mode & WRITABLE and not status.st_mode & stat.S_ISVTX and not _is_own_group(status):
            raise NotPrivateError(f"{real} lies in {folder}, where other users can write")


def _is_own_group(status: os.stat_result) -> bool:
    """Whether only the group can write to a folder, and this user is alone in it."""
    if status.st_mode & stat.S_IWOTH:
        return False
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return (group.gr_gid, group.gr_name) == (user.pw_gid, user.pw_name) and set(group.gr_mem) <= {
        user.pw_name
    }


def _root_in_namespace() -> int:
    """Return the id that root's folders have in this process's user namespace."""
    try:
        starts = [line.split()[0] for line in Path("/proc/self/uid_map").read_text().splitlines()]
        if starts and "0" not in starts:
            return int(Path("/proc/sys/kernel/overflowuid").read_text())
    except (OSError, ValueError):
        pass
    return ROOT


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
