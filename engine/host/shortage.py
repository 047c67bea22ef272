"""Shortages of this machine that make the system refuse something, and what would help."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Iterator

from .findings import SHARED_MEMORY

FREE_SOME = "free some space, or keep sessions elsewhere: --sessions-dir DIR"
LIMITS = (
    (resource.RLIMIT_NOFILE, "-n 4096", (os.strerror(errno.EMFILE),), "a process may open {:,} files"),
    (resource.RLIMIT_FSIZE, "-f unlimited", (os.strerror(errno.EFBIG),), "a file may have {:,} bytes"),
    (
        resource.RLIMIT_AS,
        "-v unlimited",
        (os.strerror(errno.ENOMEM), "failed to map segment", "MemoryError"),
        "a process may use {:,} bytes of addresses",
    ),
    (
        resource.RLIMIT_NPROC,
        "-u unlimited",
        (os.strerror(errno.EAGAIN), "can't start new thread"),
        "a user may have {:,} processes and threads",
    ),
)
"""Limits of processes: option of `ulimit` that raises one, words of errors that it causes, what it says."""
LITTLE_BYTES = 1 << 20
"""Free bytes below which a place counts as full."""


def shortage(error: OSError) -> str:
    """Return what the system refused, with its remedy where there is one, without a full stop."""
    place = f": {error.filename}" if isinstance(error.filename, str) else ""
    return with_remedy(f"{error.strerror}{place}" if error.strerror else str(error))


def no_shared_memory(error: OSError) -> str:
    """Return the sentence for a lock or queue that could not be created, which needs shared memory."""
    if error.errno == errno.EMFILE:
        return shortage(error)
    missing = not SHARED_MEMORY.is_dir()
    why = "is missing" if missing else "is full" if error.errno == errno.ENOSPC else "cannot be used"
    detail = "" if missing or error.errno == errno.ENOSPC else f" ({error.strerror})"
    return f"shared memory, {SHARED_MEMORY}, {why}{detail}; in a container: --shm-size=8g or --ipc=host"


def with_remedy(message: str) -> str:
    """Return an error's message with what would help, where it tells of a limit of this system."""
    remedy = next((words for sign, words in _remedies() if sign in message), "")
    return f"{message} ({remedy})" if remedy else message


def _remedies() -> Iterator[tuple[str, str]]:
    """Yield the words of errors, and what helps; limits only where they are set."""
    yield os.strerror(errno.ENOSPC), _where_to_free()
    yield os.strerror(errno.EDQUOT), FREE_SOME
    yield os.strerror(errno.EROFS), "keep sessions elsewhere: --sessions-dir DIR"
    for kind, option, signs, what in LIMITS:
        most = resource.getrlimit(kind)[0]
        if most != resource.RLIM_INFINITY:
            for sign in signs:
                yield sign, f"{what.format(most)} here; more: ulimit {option}"


def _where_to_free() -> str:
    """Return what helps against a full disk; the error itself rarely says which one it was."""
    if SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free < LITTLE_BYTES:
        return f"{SHARED_MEMORY} is full; in a container: --shm-size=8g or --ipc=host"
    return FREE_SOME
