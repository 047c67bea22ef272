"""The end of a log file, as lines that a screen can show."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from ...engine.text.files import is_folder, open_regular
from ...engine.text.plain import plain

LITTLE_ROOM = 64 * 1024
"""Free bytes of a disk below which it counts as full."""
TAIL_BYTES = 32 * 1024
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")


def read_log_tail(path: Path, size: int = TAIL_BYTES) -> list[str]:
    """Return the last lines of a file, without the colours and cursor movements that programs print.

    Other control characters become escapes. Returns no lines if the file is unreadable.
    """
    try:
        with open_regular(path) as file:
            start = max(0, file.seek(0, 2) - size)
            file.seek(start)
            text = file.read(size).decode(errors="backslashreplace")
    except OSError:
        return []
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    # If the file is longer, the first line is incomplete.
    return [_plain(line) for line in (lines[1:] if start else lines)]


def last_words(log: Path) -> str:
    """Return the last line of a session's log, or else what is amiss where it lies: the likely reason that
    the session's process ended."""
    folder = log.parent
    said = next((line for line in reversed(read_log_tail(log)) if line.strip()), "")
    if said:
        return said
    if not is_folder(folder):
        return f"the session's folder, {folder}, was deleted"
    if shutil.disk_usage(folder).free < LITTLE_ROOM:
        return f"the disk of {folder} is full"
    if not os.access(folder, os.W_OK):
        return f"{folder} can no longer be written"
    return f"it was killed, or the machine was switched off; {log} is empty"


def _plain(line: str) -> str:
    # A progress bar returns to the start of the line: only its last state counts.
    last = line.rstrip("\r").rpartition("\r")[2]
    return plain(_ESCAPE.sub("", last)).expandtabs(4)
