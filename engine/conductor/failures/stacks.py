"""The stacks that ranks write to their logs on request, and what they tell of one that makes no progress."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ...text.files import open_regular

TAIL_BYTES = 64 * 1024
"""End of a log that is read at most."""

MAIN_THREAD = re.compile(r"^Current thread .*\n(?P<frames>(?:  File .*\n?)*)", re.M)
OTHER_THREAD = re.compile(r"^Thread .*\n(?P<frames>(?:  File .*\n?)*)", re.M)
"""Match the stack of a thread, innermost frame first, as faulthandler writes it."""
FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<name>.*)$', re.M)

WAITING = re.compile(
    r"/torch/(distributed|cuda|nccl)/|/torch/nn/parallel/distributed\.py$"
    r"|/engine/training/(parallel/group|device/\w+)\.py$"
)
"""Matches the files in which a rank waits for other ranks, or for its device, which waits for them."""
BACKWARD = re.compile(r"/torch/(autograd/graph|autograd/__init__|_tensor)\.py$")
"""Matches the files in which a rank starts the backward pass, which waits for other ranks."""
THREAD_START = "_bootstrap"
"""Name of the outermost frame of a thread that Python has started."""

Doing = Literal["waiting", "working", "unknown"]


class Frame(NamedTuple):
    """A place in Python code."""

    file: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({Path(self.file).name}:{self.line})"


class Stacks(NamedTuple):
    """Stacks of one rank's threads, innermost frame first."""

    main: Sequence[Frame]
    others: Sequence[Sequence[Frame]]

    @property
    def doing(self) -> Doing:
        """Whether the rank waits for others, as far as its stacks tell.

        On a GPU the backward pass runs in a thread of torch's own, and so does a user's function in it.
        """
        if not self.main:
            return "unknown"
        if WAITING.search(self.main[0].file):
            return "waiting"
        if BACKWARD.search(self.main[0].file):
            inside = any(frames and frames[-1].name != THREAD_START for frames in self.others)
            return "working" if inside else "waiting"
        return "working"


def read_stacks(log: Path, start: int = 0) -> Stacks:
    """Return the last stacks in a log among what follows its first `start` bytes; empty where it has none."""
    text = read_tail(log, start)
    mains = list(MAIN_THREAD.finditer(text))
    others = [_frames(found["frames"]) for found in OTHER_THREAD.finditer(text)]
    return Stacks(_frames(mains[-1]["frames"]) if mains else [], others)


def _frames(text: str) -> list[Frame]:
    return [Frame(found["file"], int(found["line"]), found["name"]) for found in FRAME.finditer(text)]


def size_of(log: Path) -> int:
    """Return the size of a log in bytes, 0 where there is none."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def last_line(log: Path) -> str | None:
    """Return the last line of a log that is not blank."""
    lines = [line.strip() for line in read_tail(log).splitlines() if line.strip()]
    return lines[-1] if lines else None


def read_tail(log: Path, start: int = 0) -> str:
    """Return the end of a log, of what follows its first `start` bytes; empty if it cannot be read."""
    try:
        with open_regular(log) as file:
            size = log.stat().st_size
            file.seek(max(start if start <= size else 0, size - TAIL_BYTES))  # it may have been shortened
            return file.read().decode(errors="replace")
    except OSError:
        return ""
