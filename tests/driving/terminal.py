"""The program in a pseudo-terminal whose other end the test holds."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from fcntl import ioctl

import pyte

from .app import PATIENCE_SECONDS

PROGRAM = ("-m", "gpubench_tui.tui.cli")


class Terminal:
    """A pseudo-terminal with the program in it; pyte interprets what the program sends."""

    def __init__(
        self, *arguments: str, size: tuple[int, int] = (80, 24), program: Sequence[str] = PROGRAM
    ) -> None:
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color"}
            try:
                os.execv(sys.executable, [sys.executable, *program, *arguments])
            finally:
                os._exit(127)  # else this copy of the tests would go on
        self.output = b""
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self.resize(size)

    def resize(self, size: tuple[int, int]) -> None:
        """Give the window this many columns and lines."""
        self._screen.resize(columns=size[0], lines=size[1])
        ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def press(self, keys: str) -> None:
        """Send the bytes of these keys."""
        os.write(self.file, keys.encode())

    def screen(self) -> str:
        """Return the text that the terminal shows."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def read_until(self, *texts: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Read until all the texts are shown or were sent, or nothing can come any more."""
        deadline = time.monotonic() + seconds
        while not all(text.encode() in self.output or text in self.screen() for text in texts):
            assert time.monotonic() < deadline, self.screen()
            if not self.read_more():
                return

    def read_more(self) -> bool:
        """Read what comes within a moment; False if nothing can come any more."""
        if select.select([self.file], [], [], 0.2)[0]:
            try:
                data = os.read(self.file, 65536)
            except OSError:
                return False
            self.output += data
            self._stream.feed(data)
        return True

    def close(self) -> None:
        """Hang up."""
        os.close(self.file)

    def status(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Return the exit status of the program, which must end by itself within that time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        self.kill()
        raise AssertionError("still alive")

    def kill(self) -> None:
        """Kill the program."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until the condition holds; fail if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
