"""Errors of the user's own code: where they were raised, and what of their message is the user's to read."""

from __future__ import annotations

import linecache
import re
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .models import own_function
from .trainings import own_training
from .workload import Workload

ENGINE = Path(__file__).parents[2]
"""Folder of the program's own code."""
LIBRARIES = ("site-packages", "dist-packages")
"""Names of folders whose files are not the user's, although they may lie below the user's."""
QUOTED = re.compile(r'^ *File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)$', re.MULTILINE)
"""Matches a place in a traceback that is part of a message: of a loader worker, a replica or a compiler."""


class Place(NamedTuple):
    """A line of code."""

    file: str
    line: int = 0
    """Number of the line; 0 where it is not known."""
    function: str = ""
    """Function that the line belongs to; empty where it is not known."""

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}" + (f", in {self.function}" if self.function else "")


_CALLED_FOR = "_called_for_place"
"""Attribute of an error: the place of the user's function that the program called something for."""


class CalledFor:
    """Context of what is done with a user's function, whose place it notes on errors.

    They may come through no line of the user's: the function is one of a library, or what it returned cannot
    be used as it should. The context holds nothing, and can be used again and within itself.
    """

    def __init__(self, place: Callable[[], Place]) -> None:
        self._place = place

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not hasattr(error, _CALLED_FOR):
            setattr(error, _CALLED_FOR, self._place())


class UserCode:
    """The user's own code: a file that a workload names, and whatever lies beside and below it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._folders = {file.absolute().parent, file.resolve().parent}
        self._foreign = [ENGINE, Path(sysconfig.get_path("stdlib"))]

    def holds(self, file: str) -> bool:
        """Return whether a file of that name, as tracebacks give it, is the user's."""
        path = Path(file)
        if path == self._file:
            return True
        if set(path.parts).intersection(LIBRARIES) or any(map(path.is_relative_to, self._foreign)):
            return False
        return any(map(path.is_relative_to, self._folders))

    def place_of(self, error: BaseException) -> Place | None:
        """Return the innermost line of the user's that an error came through; None if there is none."""
        if isinstance(error, SyntaxError) and error.filename and self.holds(error.filename):
            return Place(error.filename, error.lineno or 1)
        passed = [
            Place(frame.f_code.co_filename, line, frame.f_code.co_name)
            for frame, line in traceback.walk_tb(error.__traceback__)
        ]
        found = [place for place in passed if self.holds(place.file)] or self._quoted(error)
        return found[-1] if found else getattr(error, _CALLED_FOR, None)

    def raised(self, error: BaseException) -> bool:
        """Return whether the user's own code raised the error itself, and so wrote its message."""
        last = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)][-1:]
        return any(map(self.holds, last))

    def _quoted(self, error: BaseException) -> list[Place]:
        try:
            text = str(error)
        except Exception:
            return []
        found = (Place(m["file"], int(m["line"]), m["function"]) for m in QUOTED.finditer(text))
        return [place for place in found if self.holds(place.file)]


def user_code_of(workload: Workload) -> UserCode | None:
    """Return the code of a user's own training or model; None where all code is the program's."""
    own = own_function(workload.model) if workload.training == "images" else None
    file = own[0] if own is not None else own_training(workload.training)
    return UserCode(file) if file else None


def source_of(place: Place) -> str:
    """Return the source of a line, without its indentation; empty if it cannot be read."""
    return linecache.getline(place.file, place.line).strip()
