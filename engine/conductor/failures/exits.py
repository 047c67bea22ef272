"""The order in which the processes of a run's ranks end, as the kernel saw it."""

from __future__ import annotations

import os
import select
import sys
import threading
import time


class ExitWatch(threading.Thread):
    """Notes which rank's process ended first; without pidfd and epoll, on macOS, it notes none.

    A listener learns of an end only after all the messages before it, which may wait for the disk. Here
    epoll queues the ends as they happen, so that their order is right however late this thread wakes up.
    """

    def __init__(self) -> None:
        super().__init__(name="exits", daemon=True)
        self.times: dict[int, float] = {}
        """Times by `time.monotonic()` at which the ranks' processes were found ended, in their order."""
        self._ranks: dict[int, int] = {}
        """Ranks by the descriptors of their processes."""
        self._pids: set[int] = set()
        self._possible = sys.platform == "linux" and hasattr(os, "pidfd_open")
        if self._possible:
            self._poll = select.epoll()
            self._wake, self._woken = os.pipe()
            self._poll.register(self._wake, select.EPOLLIN)

    def add(self, rank: int, pid: int) -> None:
        """Watch a rank's process, from any thread; once or more often."""
        if not self._possible or pid in self._pids:
            return
        self._pids.add(pid)
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            self.times[rank] = time.monotonic()
        except OSError:  # too many open files: its listener will notice
            pass
        else:
            self._ranks[process] = rank
            self._poll.register(process, select.EPOLLIN)

    def close(self) -> None:
        """Stop watching."""
        if self._possible:
            os.close(self._woken)
            self.join()

    def run(self) -> None:
        """Note every end until it is closed; never raises."""
        while self._possible:
            for file, _ in self._poll.poll():
                if file == self._wake:
                    self._release()
                    return
                self._poll.unregister(file)
                self.times.setdefault(self._ranks.pop(file), time.monotonic())
                os.close(file)

    def _release(self) -> None:
        self._poll.close()
        for file in (self._wake, *self._ranks):
            os.close(file)
