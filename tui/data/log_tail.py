"""The end of a file that a program prints to, as lines that a screen can show."""

from __future__ import annotations

import re
from pathlib import Path

TAIL_BYTES = 32 * 1024
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")
_UNSHOWN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def read_log_tail(path: Path, size: int = TAIL_BYTES) -> list[str]:
    """The last lines of a file, without what steers a terminal; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, 2) - size)
            file.seek(start)
            text = file.read(size).decode(errors="replace")
    except OSError:
        return []
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    # The first line is cut off where the file is longer.
    return [_plain(line) for line in (lines[1:] if start else lines)]


def _plain(line: str) -> str:
    # A progress bar returns to the line's start: its last state is what stands there.
    last = line.rstrip("\r").rpartition("\r")[2]
    return _UNSHOWN.sub("", _ESCAPE.sub("", last)).expandtabs(4)
