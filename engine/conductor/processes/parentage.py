"""Descendants of this process: nothing that a run starts may outlive it. Imports no torch."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36  # from <linux/prctl.h>
PF_EXITING = 0x4  # from <linux/sched.h>
FLAGS = 6
"""Position of a process's flags in its `stat`, counted from what follows its name."""
LEAVE_SECONDS = 1.0
"""Time from the end of a process's pipe to its own, where the system does not tell that it is ending."""

CLEANERS = (b"multiprocessing.resource_tracker", b"torch_shm_manager")
"""Words in the command lines of processes that remove the shared memory of others once those have ended."""
CLEANING_SECONDS = 2.0
"""Time that they have for it before they are killed too."""


def adopt_orphans() -> None:
    """On Linux, become the parent of every descendant whose own parent ends, so that none is lost."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(of: int | None = None) -> set[int]:
    """Return the ids of all processes that descend from one, this one by default."""
    found: set[int] = set()
    left = children(of or os.getpid())
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            left += children(pid)
    return found


def kill(pids: Collection[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Signal processes and ignore those that have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Killing:
    """Killing of processes that may start others meanwhile: those that clean up after others come last."""

    def __init__(self, kill: Callable[[Collection[int]], None] = kill) -> None:
        self._kill = kill
        self._since: float | None = None

    def strike(self, pids: Collection[int]) -> set[int]:
        """Kill those of the processes whose turn it is; return all that have not ended."""
        left = {pid for pid in pids if not is_zombie(pid)}
        cleaners = {pid for pid in left if _is_cleaner(pid)}
        if cleaners != left:
            self._since = None
        elif self._since is None:
            self._since = time.monotonic()
        late = self._since is not None and time.monotonic() - self._since > CLEANING_SECONDS
        self._kill(left if late else left - cleaners)
        return left


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended, and is only waited for by its parent."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def is_stopped(pid: int) -> bool:
    """Return whether a process has been stopped by a signal or a debugger."""
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return False


def is_leaving(pid: int) -> bool:
    """Return whether a process has ended or is about to; on Linux from before it closes its files."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return bool(int(fields[FLAGS]) & PF_EXITING)
    except (OSError, ValueError, IndexError):
        return is_zombie(pid)


def lives_on(pid: int) -> bool:
    """Return whether a process that has just closed its pipe is not about to end."""
    if sys.platform == "linux":
        return not is_leaving(pid)
    deadline = time.monotonic() + LEAVE_SECONDS
    while not (leaving := is_leaving(pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not leaving


def _is_cleaner(pid: int) -> bool:
    try:
        line = " ".join(psutil.Process(pid).cmdline()).encode(errors="replace")
    except psutil.Error:
        return False
    return any(word in line for word in CLEANERS)


def bury(pids: Collection[int]) -> None:
    """Collect the exit status of those adopted processes that have ended."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def children(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    try:
        files = list(Path(f"/proc/{pid}/task").glob("*/children"))
        if files:
            return [int(word) for file in files for word in file.read_text().split()]
    except OSError:
        return []  # it has just ended
    try:  # no /proc, or a kernel without its `children`: much slower
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []
