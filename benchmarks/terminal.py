"""A program in a pseudo-terminal: its output, its cost, and its response time to a key."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import psutil

WIDTH, HEIGHT = 120, 40
ASKS_FOR_SYNC, SHOWS_SYNC = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
"""Answer of present terminals to the query whether they support synchronised output."""


class Cost(NamedTuple):
    """Cost of a program over some seconds."""

    cores: float
    """CPU time over elapsed time; 1 is one core."""
    bytes_a_second: float


class Terminal:
    """A program that runs in a 120x40 terminal until the end of a `with` block."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._terminal, inside = pty.openpty()
        self._sized(WIDTH, HEIGHT)
        self.process = subprocess.Popen(
            command,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )
        os.close(inside)
        self._seen = bytearray()
        self._arrived = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self._terminal)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._terminal, 1 << 16):
                if ASKS_FOR_SYNC in data:
                    self.send(SHOWS_SYNC)
                with self._arrived:
                    self._seen += data
                    self._arrived.notify_all()

    @property
    def bytes_seen(self) -> int:
        """Return the number of bytes that the program has sent so far."""
        return len(self._seen)

    def send(self, keys: bytes) -> None:
        """Type these keys."""
        os.write(self._terminal, keys)

    def resize(self, width: int, height: int) -> None:
        """Resize the window, as a window manager does."""
        self._sized(width, height)
        self.process.send_signal(signal.SIGWINCH)

    def _sized(self, width: int, height: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def has_sent(self, text: bytes, since: int) -> bool:
        """Return whether the program has sent a text after the first `since` bytes."""
        return self._seen.find(text, since) >= 0

    def wait_for(self, text: bytes, since: int = 0, seconds: float = 60.0) -> None:
        """Wait until the program sends a text after the first `since` bytes; SystemExit when it does not."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: self.has_sent(text, since), seconds):
                raise SystemExit(f"{text!r} was never drawn; last: {bytes(self._seen[-2000:])!r}")

    def seconds_until(self, text: bytes, keys: bytes) -> float:
        """Return the seconds from typing keys until the program has sent a text."""
        since, start = self.bytes_seen, time.perf_counter()
        self.send(keys)
        self.wait_for(text, since)
        return time.perf_counter() - start

    def cost(self, seconds: float) -> Cost:
        """Measure the program's cost from now on, its children's included."""
        sent, used, start = self.bytes_seen, self._cpu_seconds(), time.perf_counter()
        time.sleep(seconds)
        passed = time.perf_counter() - start
        return Cost((self._cpu_seconds() - used) / passed, (self.bytes_seen - sent) / passed)

    def resident_mib(self) -> float:
        """Return the resident memory of the program's own process."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / (1 << 20)

    def _cpu_seconds(self) -> float:
        return sum(self._times())

    def _times(self) -> Iterator[float]:
        program = psutil.Process(self.process.pid)
        for process in (program, *program.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                yield times.user + times.system + times.children_user + times.children_system
