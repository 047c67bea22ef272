"""Remains of a session whose processes were killed: other processes, and named shared memory.

All of them carry the session's mark, the path of its folder for temporary files, in their environment. In
that folder the ranks and their forks keep a list of the shared memory that they created, since nothing about
a file in `/dev/shm` tells whose it is. Only what is proved to be the session's is ended or removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from multiprocessing import resource_tracker
from multiprocessing.process import current_process
from pathlib import Path

import psutil

from .parentage import Killing

MARK = "GPUBENCH_TUI_SESSION"
"""Environment variable that every process of a session inherits."""
GUARDIAN_NAME = "gpubench-guard"
"""Name of a guardian, as `ps` shows it: it has the mark too, and ends by itself."""
SHARED = Path("/dev/shm")
LIST = "shared-memory"
"""Name of the list in the session's folder: a line for each process and for each object that it created."""
END_SECONDS = 10.0
"""Time after which processes that cannot be killed are left alone."""


def mark_session(folder: Path) -> None:
    """Mark all processes that this one will start, and the semaphores that they will create."""
    os.environ[MARK] = str(folder)
    if sys.platform == "linux":
        # Inherited by every process that multiprocessing starts.
        current_process()._config["semprefix"] = f"/{folder.name}"  # type: ignore[attr-defined]


def session_mark() -> Path | None:
    """Return the folder of the session that this process belongs to."""
    folder = os.environ.get(MARK)
    return Path(folder) if folder else None


def list_shared_memory() -> None:
    """From now on, list the shared memory that this process and its forks create, and the forks."""
    folder = session_mark()
    if sys.platform != "linux" or folder is None:
        return
    import _posixshmem  # type: ignore[import-not-found]

    target = folder / LIST
    create: Callable[[str, int, int], int] = _posixshmem.shm_open

    def shm_open(path: str, flags: int, mode: int = 0o777) -> int:
        if not flags & os.O_CREAT:
            return create(path, flags, mode)
        try:
            file = create(path, flags | os.O_EXCL, mode)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
            return create(path, flags, mode)  # somebody else's
        found = os.fstat(file)
        _append(target, ["object", path, found.st_dev, found.st_ino])
        return file

    _posixshmem.shm_open = shm_open
    os.register_at_fork(after_in_child=lambda: _append(target, ["process", os.getpid()]))


def _append(target: Path, entry: list[str | int]) -> None:
    with contextlib.suppress(OSError):
        file = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(file, json.dumps(entry).encode() + b"\n")
        finally:
            os.close(file)


def remove_shared_memory(folder: Path) -> None:
    """Remove the shared memory that the processes of a session have left, once they have ended."""
    if sys.platform != "linux":
        return
    for entry in _entries(folder / LIST):
        match entry:
            case ["object", str(path), int(device), int(inode)]:
                _remove(SHARED / path.lstrip("/"), (device, inode))
                _forget(path)
            case ["process", int(pid)] if not psutil.pid_exists(pid):
                for file in SHARED.glob(f"torch_{pid}_*"):  # the names that torch gives
                    _remove(file)
    with contextlib.suppress(OSError):
        (folder / LIST).unlink()


def remove_semaphores(folder: Path) -> None:
    """Remove the semaphores of a session whose process has ended."""
    for path in SHARED.glob(f"sem.{folder.name}-*"):
        _remove(path)


def _forget(path: str) -> None:
    """Spare the resource tracker of this process, if it has one, a warning about an object that is gone."""
    if getattr(resource_tracker._resource_tracker, "_fd", None) is not None:
        with contextlib.suppress(OSError, ValueError):
            resource_tracker.register(path, "shared_memory")  # it may have been taken from it
            resource_tracker.unregister(path, "shared_memory")


def _entries(target: Path) -> Iterator[object]:
    with contextlib.suppress(OSError):
        for line in target.read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def _remove(path: Path, identity: tuple[int, int] | None = None) -> None:
    """Remove one of this user's objects, if it is the one of that device and inode."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        if found.st_uid == os.getuid() and identity in (None, (found.st_dev, found.st_ino)):
            path.unlink()


def end_marked(folder: Path) -> None:
    """Kill every process of this user that carries the mark of a session whose own process has ended."""
    if sys.platform != "linux":
        return
    entry = os.fsencode(f"{MARK}={folder}")
    killing = Killing(lambda pids: _kill_marked(pids, entry))
    deadline = time.monotonic() + END_SECONDS
    while killing.strike(_marked(entry)) and time.monotonic() < deadline:
        time.sleep(0.02)


def _marked(entry: bytes) -> set[int]:
    return {pid for pid in psutil.pids() if pid != os.getpid() and _is_marked(pid, entry)}


def _is_marked(pid: int, entry: bytes) -> bool:
    place = Path(f"/proc/{pid}")
    try:
        return (
            place.stat().st_uid == os.getuid()
            and entry in (place / "environ").read_bytes().split(b"\0")
            and (place / "comm").read_text().strip() != GUARDIAN_NAME
        )
    except OSError:  # it has ended, or is not ours to read
        return False


def _kill_marked(pids: Collection[int], entry: bytes) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            process = os.pidfd_open(pid)  # from here on the number cannot come to mean another process
            try:
                if _is_marked(pid, entry):
                    signal.pidfd_send_signal(process, signal.SIGKILL)
            finally:
                os.close(process)
