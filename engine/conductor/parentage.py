"""Descendants of this process: nothing that a run starts may outlive it. Imports no torch."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Collection
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36  # from <linux/prctl.h>


def adopt_orphans() -> None:
    """On Linux, become the parent of every descendant whose own parent ends, so that none is lost."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> set[int]:
    """Return the ids of all processes that descend from this one."""
    found: set[int] = set()
    left = _children(os.getpid())
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            left += _children(pid)
    return found


def kill(pids: Collection[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Signal processes and ignore those that have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def orphans(family: Collection[int]) -> set[int]:
    """Return the adopted processes: children of this one that are not in the `family` it started itself."""
    return set(_children(os.getpid())) - set(family)


def bury(pids: Collection[int]) -> None:
    """Collect the exit status of those adopted processes that have ended."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _children(pid: int) -> list[int]:
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
