import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gpubench_tui.tui.terminal import shows_unicode, to_ascii


@pytest.mark.parametrize(
    ("environment", "encoding", "expected"),
    [
        ({"LANG": "en_US.UTF-8"}, "utf-8", True),
        ({}, "utf-8", True),
        ({"LANG": "C.utf8"}, "utf-8", True),
        ({"LC_ALL": "C"}, "utf-8", False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", False),
        ({"LC_ALL": "de_DE.ISO-8859-1", "LANG": "en_US.UTF-8"}, "utf-8", False),
        ({"LANG": "en_US.UTF-8"}, "ascii", False),
        ({"LANG": "en_US.UTF-8"}, None, False),
    ],
)
def test_braille_only_where_the_locale_has_it(
    environment: dict[str, str], encoding: str | None, expected: bool
) -> None:
    assert shows_unicode(environment, encoding) is expected


def test_ascii_keeps_every_cell_in_its_place() -> None:
    text = "─┤ █▇ ✓ ±1.2% … 61°C 中"
    assert to_ascii(text) == "-+ #% + ~1.2% . 61 C ?"


def test_the_app_starts_without_torch_numpy_nvml_or_plotext() -> None:
    heavy = ("torch", "numpy", "pynvml", "plotext", "psutil", "msgspec")
    code = f"import sys, gpubench_tui.tui.app; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, sessions: Path) -> None:
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
            command = [sys.executable, "-m", "gpubench_tui.tui", "--sessions-dir", str(sessions)]
            os.execv(sys.executable, command)
        self.output = b""

    def read_until(self, *texts: bytes, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not all(text in self.output for text in texts):
            assert time.monotonic() < deadline, self.output[-2000:]
            if select.select([self.file], [], [], 0.2)[0]:
                try:
                    self.output += os.read(self.file, 65536)
                except OSError:
                    return

    def status(self, seconds: float = 15.0) -> int:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError("still alive")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_go_it_restores_the_terminal(tmp_path: Path, number: signal.Signals) -> None:
    terminal = Terminal(tmp_path)
    terminal.read_until(b"Quickstart")
    os.kill(terminal.pid, number)
    terminal.read_until(b"\x1b[?1049l", b"\x1b[?25h")
    assert terminal.status() == 128 + number
    os.close(terminal.file)


def test_with_its_terminal_gone_it_goes_too(tmp_path: Path) -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        terminal = Terminal(tmp_path)
        terminal.read_until(b"Quickstart")
        os.close(terminal.file)
        assert terminal.status() == 128 + signal.SIGHUP
    finally:
        signal.signal(signal.SIGHUP, previous)
