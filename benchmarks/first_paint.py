"""Start to first paint: the app against a bare Textual app, in a real pseudo-terminal. Target: at most 1.3.

python benchmarks/first_paint.py
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROUNDS = 12
BARE = """
from textual.app import App
from textual.widgets import Label
class Bare(App):
    def compose(self):
        yield Label("painted")
Bare().run()
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder}
        ours = [sys.executable, "-m", "gpubench_tui.tui.cli"]
        bare = [sys.executable, "-c", BARE]
        seconds_to_paint(ours, b"uickstart"), seconds_to_paint(bare, b"painted")  # fill the file cache
        pairs = [
            (seconds_to_paint(ours, b"uickstart"), seconds_to_paint(bare, b"painted")) for _ in range(ROUNDS)
        ]
    ours_median = statistics.median(pair[0] for pair in pairs)
    bare_median = statistics.median(pair[1] for pair in pairs)
    print(f"{'program':<18}{'first paint':>14}")
    print(f"{'gpubench-tui':<18}{ours_median * 1e3:>11.0f} ms")
    print(f"{'bare Textual app':<18}{bare_median * 1e3:>11.0f} ms")
    print(
        f"ratio {statistics.median(a / b for a, b in pairs):.2f} "
        f"(median of {ROUNDS} pairs; target: at most 1.3)"
    )


def seconds_to_paint(command: list[str], text: bytes) -> float:
    """Return the seconds from starting a program in a 120x40 terminal until it has drawn a text."""
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(inside)
    seen = b""
    try:
        while text not in seen:
            seen += os.read(terminal, 1 << 16)
        return time.perf_counter() - start
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            os.close(terminal)


if __name__ == "__main__":
    main()
