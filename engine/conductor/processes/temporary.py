"""Temporary files of a session process: removed when it ends, or if it was killed by its guardian.

Where there was no guardian, or it was killed too, the next session does it.

The owner of a folder holds a lock in it, which the system releases however the owner ends.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from multiprocessing import util
from multiprocessing.process import current_process
from pathlib import Path

from ...record.lock import take
from .remains import end_marked, mark_session, remove_semaphores, remove_shared_memory

PREFIX = "gpubench-tui-"
OWNER = "owner"
"""Name of the file in such a folder that its session process has locked. It holds the name of the folder
beside it that multiprocessing uses in that process, for the socket of its fork server."""
FOREIGN_PREFIX = "pymp-"
SOCKET_PATH = 103 if sys.platform == "darwin" else 107
"""Most bytes of a socket's path."""
SOCKET_NAME = len("/listener-") + 8
"""Bytes of the name that multiprocessing gives to a socket in its folder."""
LONGEST_PLACE = SOCKET_PATH - SOCKET_NAME - len("/pymp-") - 8
"""Most bytes of the path of a folder for temporary files."""
SHORT_PLACES = ("/tmp", "/var/tmp", "/dev/shm")
"""Folders that serve where the user's own is missing or has too long a path."""
REMOVED_LAST = -200
"""Priority among multiprocessing's exit handlers."""


def open_temporary() -> Path:
    """Create a private folder that is removed when this process ends; OSError when that is impossible."""
    tempfile.tempdir = _place()
    place = util.get_temp_dir()
    remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    util.Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=REMOVED_LAST)
    new = folder / "new"
    lock = take(new)  # held until this process ends
    assert lock is not None
    os.write(lock, Path(place).name.encode())
    new.rename(folder / OWNER)  # so that nobody sees it unlocked
    mark_session(folder)
    return folder


def is_whole(folder: Path) -> bool:
    """Return whether such a folder, and that of multiprocessing beside it, are still there."""
    return (folder / OWNER).is_file() and Path(util.get_temp_dir()).is_dir()


def identity(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another one that was made in its place; None if it is gone."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def was_deleted(folder: Path) -> str:
    """Return the sentence on a folder for temporary files that is gone."""
    return f"another program deleted the folder for temporary files, {folder}"


def reopen_temporary(folder: Path) -> Path:
    """Return a new folder in the place of one that was deleted; OSError when that is impossible.

    The fork server, which has its socket there, must have ended.
    """
    if os.environ.get("TMPDIR") == str(folder):  # the ranks had it as their own
        os.environ["TMPDIR"] = str(folder.parent)
    shutil.rmtree(folder, ignore_errors=True)  # what is left of it
    current_process()._config["tempdir"] = tempfile.tempdir = None  # type: ignore[attr-defined]
    return open_temporary()


def _place() -> str:
    """Return the user's folder for temporary files, or another one where its path is too long for sockets.

    Raises OSError where there is none.
    """
    try:
        found, refused = tempfile.gettempdir(), ""
    except OSError as error:  # none of them is there, can be written and has room
        found, refused = "", error.strerror or str(error)
    for candidate in filter(None, (found, os.environ.get("XDG_RUNTIME_DIR"), *SHORT_PLACES)):
        if len(os.fsencode(candidate)) <= LONGEST_PLACE and _has_room(candidate):
            if not found:  # torch's import in other processes wants one, too
                os.environ["TMPDIR"] = candidate
            return candidate
    why = f"{found} is too long for sockets" if found else refused
    raise OSError(
        f"there is no folder for temporary files ({why}; {', '.join(SHORT_PLACES)} cannot be written): "
        f"set TMPDIR to one of {LONGEST_PLACE} characters at most that can be written"
    )


def _has_room(folder: str) -> bool:
    """Whether files can be written there now."""
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=PREFIX) as file:
            file.write(bytes(SOCKET_PATH))
    except OSError:
        return False
    return True


def remove_abandoned() -> None:
    """Remove this user's folders whose owner has ended, and all that their sessions have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        remove_if_abandoned(folder)


def remove_if_abandoned(folder: Path) -> None:
    """Remove such a folder, and what its session has left; nothing unless its owner has surely ended."""
    if not _is_private(folder) or not (folder / OWNER).is_file():
        return
    try:
        lock = take(folder / OWNER)
    except OSError:
        return
    if lock is None:
        return
    name = os.read(lock, 256).decode(errors="replace")
    end_marked(folder)
    remove_shared_memory(folder)
    remove_semaphores(folder)
    foreign = folder.with_name(Path(name).name or OWNER)
    if foreign.name.startswith(FOREIGN_PREFIX) and _is_private(foreign):
        shutil.rmtree(foreign, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _is_private(folder: Path) -> bool:
    """Whether this is a folder, not a link to one, that only this user can use."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700
    )
