"""The program on a real terminal of its own, whose other end the test holds."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl

PIECES = re.compile(
    r"(?:\x1b\[([\d;?<>=]*)[\x20-\x2f]*([@-~])|\x1b[\]P][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.)?([^\x1b]*)"
)
"""Parameters and name of an escape sequence, and the text behind it."""


class Terminal:
    """A pseudo-terminal with the program in it."""

    def __init__(self, *arguments: str, size: tuple[int, int] = (80, 24)) -> None:
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color"}
            os.execv(sys.executable, [sys.executable, "-m", "gpubench_tui.tui.cli", *arguments])
        self.output = b""
        self.resize(size)

    def resize(self, size: tuple[int, int]) -> None:
        """Columns and lines."""
        ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def press(self, keys: str) -> None:
        """Send what the keys send."""
        os.write(self.file, keys.encode())

    def screen(self) -> str:
        """What the terminal shows: only what has changed is sent, so that words come in pieces."""
        cells: dict[tuple[int, int], str] = {}
        line = column = 0
        for to, move, text in PIECES.findall(self.output.decode(errors="replace")):
            numbers = [int(number) for number in to.split(";") if number.isdigit()]
            if move == "H":
                line, column = (number - 1 for number in (numbers or [1, 1]))
            elif move == "C":
                column += numbers[0] if numbers else 1
            for character in text:
                if character in "\r\n":
                    line, column = line + (character == "\n"), 0 if character == "\r" else column
                else:
                    cells[line, column] = character
                    column += 1
        lines = range(max((line for line, _ in cells), default=0) + 1)
        width = max((column for _, column in cells), default=0) + 1
        return "\n".join("".join(cells.get((line, x), " ") for x in range(width)).rstrip() for line in lines)

    def read_until(self, *texts: str, seconds: float = 30.0) -> None:
        """Read until all the texts are shown or were sent, or nothing can come any more."""
        deadline = time.monotonic() + seconds
        while not all(text.encode() in self.output or text in self.screen() for text in texts):
            assert time.monotonic() < deadline, self.screen()
            if select.select([self.file], [], [], 0.2)[0]:
                try:
                    self.output += os.read(self.file, 65536)
                except OSError:
                    return

    def close(self) -> None:
        """The line drops."""
        os.close(self.file)

    def status(self, seconds: float = 15.0) -> int:
        """The exit status of the program, which must end by itself within that time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        self.kill()
        raise AssertionError("still alive")

    def kill(self) -> None:
        """End it for certain."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until the condition holds, and fail where it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
