"""The journal: one append-only file of events, one JSON object per line, private to the user."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from ..text.encoding import encode_json
from ..text.files import MOST_BYTES, open_regular
from .events import Base, Event, RankFinished, RankMeasured, Steps, decode

CHUNK_BYTES = 1 << 20
CHECK_SECONDS = 0.4
"""Interval at which a journal that is written makes sure that it is still in its place."""
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
LONGEST_LINE = MOST_BYTES
"""Bytes of a line at most: the first holds the plan, which is itself in a file of limited size."""


class Journal:
    """Writer of a journal. Thread-safe: a line is written whole, or OSError is raised.

    Nobody else should touch the file. If someone does, what can be restored is: a file that was deleted or
    replaced is written again from the one that is still open; one that was cut off is begun anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, _FLAGS, 0o600)
        self._lock = threading.Lock()
        self._torn = False
        self._first = b""
        """The first line, without which nothing of a journal can be read."""
        self._size = 0
        self._checked = time.monotonic()
        self._notes: list[str] = []

    def append(self, event: Event) -> None:
        """Write one event; OSError if the disk is full, or the journal was cut off or is closed."""
        line = encode_json(event) + b"\n"
        with self._lock:
            if time.monotonic() - self._checked > CHECK_SECONDS:
                self._checked = time.monotonic()
                self._check()
            self._write(line)
            self._first = self._first or line

    def take_notes(self) -> list[str]:
        """Return what befell the file since the last call, one sentence each."""
        notes, self._notes = self._notes, []
        return notes

    def _write(self, line: bytes) -> None:
        if self._torn:
            line = b"\n" + line
        try:
            for written in _written(self._file, line):
                self._size += written
                # A full disk may take part of a line: the next event must not be glued to it.
                self._torn = True
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        self._torn = False

    def _check(self) -> None:
        """See whether the file is still there and whole; OSError where not all of it can be restored."""
        ours = os.fstat(self._file)
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            found = None
        if ours.st_size < self._size:
            self._begin_anew(ours.st_size)
        elif found is None or (found.st_dev, found.st_ino) != (ours.st_dev, ours.st_ino):
            self._put_back("deleted" if found is None else "replaced")

    def _put_back(self, what: str) -> None:
        if not self._path.parent.is_dir():
            raise FileNotFoundError(f"the session's folder, {self._path.parent}, was deleted")
        copy = self._path.with_suffix(f".{os.getpid()}")
        file = os.open(copy, _FLAGS, 0o600)
        try:
            for start in range(0, self._size, CHUNK_BYTES):
                for _ in _written(file, os.pread(self._file, CHUNK_BYTES, start)):
                    pass
            copy.replace(self._path)
        except OSError:
            os.close(file)
            copy.unlink(missing_ok=True)
            raise
        os.close(self._file)
        self._file = file
        self._notes.append(f"another program {what} the journal: it was rewritten in full")

    def _begin_anew(self, left: int) -> None:
        lost, self._size = self._size - left, left
        self._torn = left > 0
        if left < len(self._first):
            self._write(self._first)
        raise OSError(f"another program cut it off, and the last {lost:,} bytes are lost")

    def close(self) -> None:
        """Close the file; harmless if already closed."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


class Follower:
    """Reader of a journal that may still grow, and may not exist yet."""

    def __init__(
        self, path: Path, kinds: Iterable[type[Base]] | None = None, *, broken_steps: bool = False
    ) -> None:
        """`kinds`: the only event types to read; the others are skipped undecoded, which is much faster.

        With `broken_steps`, steps with a loss that is not finite are read even so.
        """
        self.path = path
        self.unreadable = 0
        """Lines that could not be decoded: damaged, or written by a newer version."""
        self._offset = 0
        self._begun: list[bytes] = []
        self._begun_bytes = 0
        self._starts = (b"",) if kinds is None else tuple(map(_start_of_line, kinds))
        self._broken_steps = broken_steps

    def read(self) -> list[Event]:
        """Return all events completed since the last call; an incomplete last line is left for the next."""
        return list(self.events())

    def events(self) -> Iterator[Event]:
        """Yield events as `read` returns them, holding no more than a chunk of the file in memory."""
        try:
            file = open_regular(self.path)
        except FileNotFoundError:
            return
        with file:
            if file.seek(0, os.SEEK_END) < self._offset:  # it was cut off, and is begun anew
                self._offset, self._begun, self._begun_bytes = 0, [], 0
            file.seek(self._offset)
            while chunk := file.read(CHUNK_BYTES):
                self._offset += len(chunk)
                yield from self.decode(chunk)

    def decode(self, chunk: bytes) -> list[Event]:
        """Return the events whose lines this chunk completes."""
        first, *lines = chunk.split(b"\n")
        self._continue(first)
        if not lines:
            return []
        lines = [self._complete(), *lines]
        self._continue(lines.pop())
        events = []
        for line in lines:
            if not line or not self._is_wanted(line):
                continue
            try:
                events.extend(_decode_line(line))
            except (msgspec.DecodeError, ValueError, RecursionError):
                self.unreadable += 1
        return events

    def _is_wanted(self, line: bytes) -> bool:
        if line.startswith(self._starts):
            return True
        return self._broken_steps and line.startswith(STEPS) and b"null" in line

    def _continue(self, part: bytes) -> None:
        """Keep a part of a line that is not complete, unless it is too long to be an event's."""
        self._begun_bytes += len(part)
        if self._begun_bytes <= LONGEST_LINE:
            self._begun.append(part)
        else:
            self._begun.clear()

    def _complete(self) -> bytes:
        """Return the line that was kept in parts, empty if it was too long."""
        line = b"".join(self._begun)
        self.unreadable += self._begun_bytes > LONGEST_LINE
        self._begun, self._begun_bytes = [], 0
        return line


def _written(file: int, content: bytes) -> Iterator[int]:
    """Write all of it, and yield the number of bytes of each part.

    What a short write leaves is tried again: only the refusal says why, a full disk or a limit of file sizes.
    """
    while content:
        written = os.write(file, content)
        content = content[written:]
        yield written


def _decode_line(line: bytes) -> list[Event]:
    """Return the event of a line; two for a line of format 1 in which a rank finished, which also held the
    figures of `RankMeasured`."""
    event = decode(line)
    if isinstance(event, RankFinished) and b'"stop_reason":' in line:
        return [decode(_start_of_line(RankMeasured) + line.removeprefix(_start_of_line(RankFinished))), event]
    return [event]


def _start_of_line(kind: type[Base]) -> bytes:
    # msgspec writes the tag first.
    return f'{{"event":"{kind.__struct_config__.tag}"'.encode()


STEPS = _start_of_line(Steps)


def read_journal(path: Path) -> Iterator[Event]:
    """Return all readable events of a journal, in order; OSError if it cannot be opened."""
    path.stat()
    return Follower(path).events()


def last_moment(path: Path) -> float:
    """Return the time of a journal's last event, in s since the session started; 0 if there is none."""
    try:
        with open_regular(path) as file:
            start = max(0, file.seek(0, os.SEEK_END) - CHUNK_BYTES)
            file.seek(start)
            tail = file.read(CHUNK_BYTES)
    except OSError:
        return 0.0
    follower = Follower(path)
    # The first line is cut off where the file is longer.
    lines = tail.partition(b"\n")[2] if start else tail
    return max((event.at for event in follower.decode(lines)), default=0.0)
