"""Temporary files of a session process: removed when it ends, or by the next session when it was killed.

A folder names its owner by a lock, which no process holds any more that is gone, however it went.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from multiprocessing import util
from pathlib import Path

from ..record.lock import take

PREFIX = "gpubench-tui-"
OWNER = "owner"
"""The file in such a folder that its session process has locked. It holds the name of the folder beside it
that multiprocessing uses in that process, for the socket of its fork server."""
FOREIGN_PREFIX = "pymp-"
REMOVED_LAST = -200
"""Among what multiprocessing does as the process ends."""


def open_temporary() -> Path:
    """A fresh private folder of this process, removed as it ends; OSError where there is no place."""
    remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    util.Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=REMOVED_LAST)
    new = folder / "new"
    lock = take(new)  # held until this process is gone
    assert lock is not None
    os.write(lock, Path(util.get_temp_dir()).name.encode())
    new.rename(folder / OWNER)  # never seen unlocked
    return folder


def remove_abandoned() -> None:
    """Remove this user's folders whose owner is gone, and nothing else; what cannot be removed stays."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not _is_private(folder) or not (folder / OWNER).is_file():
            continue
        try:
            lock = take(folder / OWNER)
        except OSError:
            continue
        if lock is None:
            continue
        name = os.read(lock, 256).decode(errors="replace")
        foreign = folder.with_name(Path(name).name or OWNER)
        if foreign.name.startswith(FOREIGN_PREFIX) and _is_private(foreign):
            shutil.rmtree(foreign, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _is_private(folder: Path) -> bool:
    """Whether this is a folder, and no link to one, that belongs to this user alone."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700
    )
