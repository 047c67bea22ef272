"""Observations on the processes of a run that is about to fail, taken before any is killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from ..processes.parentage import is_leaving, is_stopped, kill
from .stacks import Doing, Stacks, read_stacks, size_of


class Observations:
    """Signs of a run's ranks, by rank."""

    def __init__(self, logs: Sequence[Path]) -> None:
        self.halted: set[int] = set()
        """Ranks whose processes were stopped by a signal."""
        self.leaving: set[int] = set()
        """Ranks whose processes were about to end, or had."""
        self.use: dict[int, float] = {}
        """CPU seconds a second that each rank used while it was silent."""
        self._logs = logs
        self._since: dict[int, tuple[float, float]] = {}
        self._asked: dict[int, tuple[int, int]] = {}

    def watch_use(self, rank: int, pid: int, silent: bool) -> None:
        """Note how much CPU time a rank has used so far, once when it has fallen silent."""
        if not silent:
            self._since.pop(rank, None)
        elif rank not in self._since and (used := _cpu_seconds(pid)) is not None:
            self._since[rank] = time.monotonic(), used

    def take(self, pids: Mapping[int, int]) -> None:
        """Look at the processes of ranks, and ask those that can answer to write their stacks."""
        for rank, pid in pids.items():
            if is_stopped(pid):
                self.halted.add(rank)
            elif is_leaving(pid):
                self.leaving.add(rank)
            else:
                self._asked[rank] = pid, size_of(self._logs[rank])
                kill([pid], signal.SIGUSR1)

    def is_complete(self) -> bool:
        """Whether all ranks that were asked have answered."""
        return all(self.stacks(rank).main for rank in self._asked)

    def conclude(self) -> None:
        """Note the use of the CPU until now; the last call before the ranks are killed counts."""
        for rank, (pid, _) in self._asked.items():
            used = _cpu_seconds(pid)
            if rank in self._since and used is not None:
                at, before = self._since[rank]
                self.use[rank] = (used - before) / max(time.monotonic() - at, 1e-3)

    def stacks(self, rank: int) -> Stacks:
        """Return the stacks that a rank has written when it was asked; empty if it was not or has not."""
        if rank not in self._asked:
            return Stacks([], [])
        return read_stacks(self._logs[rank], self._asked[rank][1])

    def doing(self, rank: int) -> Doing:
        """Return whether a rank waited for others, as far as is known."""
        return self.stacks(rank).doing


def _cpu_seconds(pid: int) -> float | None:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return times.user + times.system
