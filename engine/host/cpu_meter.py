"""Meter of how busy the CPU is, and of the session's own share in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import psutil

from .facts import CpuSample


class CpuMeter:
    """Shares of CPU time between one sample and the next, from the kernel's counters.

    `pids` returns the session's processes; their children are not followed. A process counts from the second
    sample that sees it: the CPU time that it used before belongs to no sample.
    """

    SHORTEST = 0.1
    """Least seconds between samples: the counters advance in steps of 10 ms."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._processes: dict[int, psutil.Process] = {}
        self._per_core: tuple[float, ...] = ()
        self._session_percent = self._session_memory = 0.0
        self._at = time.monotonic()
        self._times = _core_times()
        self._used = self._read_processes()[0]

    def sample(self) -> CpuSample:
        """Return a sample of the time since the last one, or that one again if it was taken a moment ago."""
        passed = time.monotonic() - self._at
        if not self._per_core and passed < self.SHORTEST:
            time.sleep(self.SHORTEST - passed)
            passed = self.SHORTEST
        if passed >= self.SHORTEST:
            self._measure()
        memory = psutil.virtual_memory()
        return CpuSample(
            per_core=self._per_core,
            memory_used_bytes=memory.total - memory.available,
            memory_total_bytes=memory.total,
            session_percent=self._session_percent,
            session_memory_bytes=int(self._session_memory),
        )

    def _measure(self) -> None:
        now, times = time.monotonic(), _core_times()
        used, self._session_memory = self._read_processes()
        spent = sum(
            seconds - self._used[process] for process, seconds in used.items() if process in self._used
        )
        self._session_percent = 100 * max(0.0, spent) / (now - self._at)
        self._per_core = tuple(_percent(*pair) for pair in zip(self._times, times, strict=False))
        self._at, self._times, self._used = now, times, used

    def _read_processes(self) -> tuple[dict[psutil.Process, float], int]:
        """Return the CPU seconds of each living process, and their total resident memory in bytes."""
        seconds: dict[psutil.Process, float] = {}
        resident = 0
        for pid in set(self._pids()):
            try:
                process = self._processes.get(pid)
                if process is None or not process.is_running():  # another process may have the id by now
                    process = psutil.Process(pid)
                with process.oneshot():
                    times, memory = process.cpu_times(), process.memory_info().rss
            except psutil.Error:
                continue
            seconds[process] = times.user + times.system
            resident += memory
        self._processes = {process.pid: process for process in seconds}
        return seconds, resident


def _core_times() -> list[tuple[float, float]]:
    """Return (busy, total) seconds of each logical CPU since the machine started."""
    pairs = []
    for times in psutil.cpu_times(percpu=True):
        # Linux includes the time of guests in that of users.
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        everything = sum(times) - guests
        pairs.append((everything - times.idle - getattr(times, "iowait", 0.0), everything))
    return pairs


def _percent(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Return the busy share in percent; 0 where counters stood still or ran backwards, as iowait may."""
    everything = after[1] - before[1]
    if everything <= 0:
        return 0.0
    return min(100.0, max(0.0, 100 * (after[0] - before[0]) / everything))
