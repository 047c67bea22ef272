"""Meter of how busy the CPU is, and of the session's own share in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import psutil

from .facts import CpuSample

CoreTime = tuple[float, float]
"""Busy and total seconds of a logical CPU since the machine started."""


class CpuTime(NamedTuple):
    """CPU seconds of a process since it started."""

    own: float = 0.0
    of_children: float = 0.0
    """CPU seconds of the children that it has waited for, and of theirs."""


class CpuMeter:
    """Shares of CPU time between one sample and the next, from the kernel's counters.

    `pids` returns the session's processes; their children are not followed, but count once they have ended
    and been waited for. A process that was not started since the last sample counts from the next one on: the
    CPU time that it used before belongs to no sample. `cores` returns the logical CPUs on which to measure
    what other programs use, empty for none.
    """

    SHORTEST = 0.1
    """Least seconds between samples: the counters advance in steps of 10 ms."""

    def __init__(
        self, pids: Callable[[], Iterable[int]], cores: Callable[[], Collection[int]] = frozenset
    ) -> None:
        self._pids = pids
        self._cores = cores
        self._processes: dict[int, psutil.Process] = {}
        self._per_core: tuple[float, ...] = ()
        self._session_percent = self._session_memory = 0.0
        self._others_percent: float | None = None
        self._booted = psutil.boot_time()
        self._at, self._since_boot = time.monotonic(), _since_boot()
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
            others_percent=self._others_percent,
        )

    def _measure(self) -> None:
        now, since_boot, times = time.monotonic(), _since_boot(), _core_times()
        used, self._session_memory = self._read_processes()
        spent = self._spent(used)
        self._session_percent = 100 * spent / (now - self._at)
        self._per_core = tuple(_percent(*pair) for pair in zip(self._times, times, strict=False))
        self._others_percent = self._others(times, spent)
        self._at, self._since_boot, self._times, self._used = now, since_boot, times, used

    def _spent(self, used: Mapping[psutil.Process, CpuTime]) -> float:
        """Return the CPU seconds of the session's processes since the last sample.

        Whoever waited for an ended process knows what it used after that sample, together with all before.
        """
        own = of_children = 0.0
        for process, after in used.items():
            before = self._used.get(process) or (CpuTime() if self._is_new(process) else after)
            own += after.own - before.own
            of_children += after.of_children - before.of_children
        ended = sum(time.own + time.of_children for each, time in self._used.items() if each not in used)
        return max(0.0, own) + max(0.0, of_children - ended)

    def _is_new(self, process: psutil.Process) -> bool:
        """Return whether a process was started since the last sample; False where that is not known."""
        if self._since_boot is None:
            return False
        try:
            return process.create_time() - self._booted >= self._since_boot
        except psutil.Error:
            return False

    def _others(self, times: Sequence[CoreTime], spent: float) -> float | None:
        """Return the share of the CPUs that other programs used since the last sample, in percent."""
        cores = self._cores()
        if not cores or max(cores) >= min(len(times), len(self._times)):
            return None
        busy, everything = (
            sum(times[core][part] - self._times[core][part] for core in cores) for part in (0, 1)
        )
        return 100 * (busy - spent) / everything if everything > 0 else None

    def _read_processes(self) -> tuple[dict[psutil.Process, CpuTime], int]:
        """Return the CPU time of each living process, and their total resident memory in bytes."""
        seconds: dict[psutil.Process, CpuTime] = {}
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
            of_children = times.children_user + times.children_system
            seconds[process] = CpuTime(times.user + times.system, of_children)
            resident += memory
        self._processes = {process.pid: process for process in seconds}
        return seconds, resident


def _since_boot() -> float | None:
    """Return the seconds since the machine started, as the kernel dates processes; None where it does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else None


def _core_times() -> list[CoreTime]:
    """Return (busy, total) seconds of each logical CPU since the machine started."""
    pairs = []
    for times in psutil.cpu_times(percpu=True):
        # Linux includes the time of guests in that of users.
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        everything = sum(times) - guests
        pairs.append((everything - times.idle - getattr(times, "iowait", 0.0), everything))
    return pairs


def _percent(before: CoreTime, after: CoreTime) -> float:
    """Return the busy share in percent; 0 where counters stood still or ran backwards, as iowait may."""
    everything = after[1] - before[1]
    if everything <= 0:
        return 0.0
    return min(100.0, max(0.0, 100 * (after[0] - before[0]) / everything))
