"""Bounds on the logs of ranks: what they print must not take the room of the session's journal."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ..record.session_folder import SessionFolder

LEAST_BYTES = 64 << 10
"""Size to which a log is cut even where nothing is free."""
TAIL_BYTES = 256 << 10
"""Most that is kept of the end of a log that is too long; the rest of what is kept is its beginning."""


class RankLogs:
    """The logs of a session. A log that has become too long loses its middle, and says so there.

    Ranks write to the files themselves, so a rank that prints much exceeds the bounds between two looks.
    """

    def __init__(self, folder: SessionFolder) -> None:
        self._folder = folder
        self._dropped: dict[Path, int] = {}

    def limit(self, most: int) -> None:
        """Keep `most` bytes of each log at most, and of all of them half of what the disk has for them."""
        with contextlib.suppress(OSError):
            sizes = self._sizes()
            room = shutil.disk_usage(self._folder.path).free + sum(sizes.values())
            share = room // 2 // max(1, len(sizes))
            self._cut(sizes, min(most, share))

    def make_room(self) -> bool:
        """Keep as little of each log as possible, because the disk is full; return whether that helps."""
        try:
            return self._cut(self._sizes(), LEAST_BYTES) > LEAST_BYTES
        except OSError:
            return False

    def _sizes(self) -> dict[Path, int]:
        paths = [self._folder.log, *self._folder.logs.glob("*.log")]
        return {path: path.stat().st_size for path in paths if path.is_file()}

    def _cut(self, sizes: dict[Path, int], most: int) -> int:
        """Shorten the logs that are longer; return the number of bytes freed."""
        return sum(self._shorten(path, max(most, LEAST_BYTES)) for path, size in sizes.items() if size > most)

    def _shorten(self, path: Path, most: int) -> int:
        tail_bytes = min(TAIL_BYTES, most // 4)
        head_bytes = most // 2
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        try:
            size = os.fstat(file).st_size
            if size <= most:
                return 0
            tail = os.pread(file, tail_bytes, size - tail_bytes)
            os.ftruncate(file, head_bytes)
            left_out = self._dropped.get(path, 0) + size - head_bytes - len(tail)
            self._dropped[path] = left_out
            # The ranks append, too: what they write meanwhile comes before the note.
            os.write(file, f"\n[... {left_out:,} bytes left out: the log was too long ...]\n".encode() + tail)
            return size - head_bytes - len(tail)
        finally:
            os.close(file)
