"""The shelf of all sessions: they are created, found, renamed and deleted on it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from ..host.facts import Host
from ..host.shortage import shortage
from ..plan.plan import Plan
from ..text.files import fit_for_file_name, is_file, is_folder, make_private_folder, user_path
from .lock import take
from .session_folder import Request, SessionFolder

LONGEST_NAME = 100
NAMED = 3
"""Most sessions that are named where several begin with a text."""
DECIDE_SECONDS = 30.0
"""Time that another process may take to start a session."""
WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})
"""Errors of a file system that has no file locks."""
NAME = re.compile(rf"[^\W_][\w.-]{{,{LONGEST_NAME - 1}}}")


class ShelfError(Exception):
    """Raised when the shelf cannot do what was requested; the message is one sentence."""


class SeveralSessionsError(LookupError):
    """Raised when several sessions begin with a text; the message is one sentence."""


class Shelf:
    """The folder that holds all sessions."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(
        self,
        name: str | None,
        plan: Plan,
        host: Host,
        preset_text: str,
        resumes: str = "",
        write_earlier: Callable[[Path], None] | None = None,
    ) -> SessionFolder:
        """Create a session's folder, named after `name` or the preset and the time; OSError if impossible.

        `resumes`: the name of the session that it resumes, whose events `write_earlier` writes to a file.
        """
        stem = fit_for_file_name(name or plan.preset) or "session"
        try:
            make_private_folder(self.root)
            newest = max((other.created for other in self.all()), default=0)
            folder = SessionFolder(_new_folder(self.root / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}"))
        except OSError as error:
            raise self._refused(error) from error
        try:
            if write_earlier is not None:
                write_earlier(folder.earlier)
            folder.fill(Request(plan, host, resumes), preset_text)
            # Newest first is the order of creation, even if the machine's clock was set back.
            if folder.created <= newest:
                os.utime(folder.plan, ns=(newest + 1, newest + 1))
        except OSError as error:
            shutil.rmtree(folder.path, ignore_errors=True)  # no half session
            raise self._refused(error) from error
        return folder

    @contextlib.contextmanager
    def decide(self) -> Iterator[None]:
        """Keep other processes from starting a session meanwhile; OSError where that is impossible."""
        try:
            make_private_folder(self.root)
            file = take(self.root / ".starting", seconds=DECIDE_SECONDS)
        except OSError as error:
            raise self._refused(error) from error
        if file is None:
            raise OSError(f"another session has been starting in {self.root} for {DECIDE_SECONDS:.0f} s")
        try:
            yield
        finally:
            os.close(file)

    def _refused(self, error: OSError) -> OSError:
        place = error.filename if error.errno == errno.ENOTDIR else self.root
        return OSError(f"{_problem(error)}: {place}; another folder: --sessions-dir DIR")

    def all(self) -> list[SessionFolder]:
        """Return all sessions, newest first."""
        if not is_folder(self.root):
            return []
        paths = (path for path in self.root.iterdir() if not path.name.startswith("."))
        folders = [SessionFolder(path) for path in paths if _is_session(path)]
        return sorted(folders, key=lambda folder: (folder.created, folder.name), reverse=True)

    def find(self, text: str | None) -> SessionFolder:
        """Return a session by name, unique prefix or path; the newest for None. Raises LookupError."""
        folders = self.all()
        if text is None:
            if not folders:
                raise LookupError(f"there are no sessions in {self.root} yet")
            return folders[0]
        for folder in folders:
            if folder.name == text:
                return folder
        path = user_path(text)
        path = path.parent if path.name == "journal.jsonl" else path
        if text and _is_session(path):
            # The last part is kept as it is: a link to a session is not the session.
            last = path.name not in ("", "..")
            return SessionFolder(path.parent.resolve() / path.name if last else path.resolve())
        found = [folder for folder in folders if text and folder.name.startswith(text)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(folder.name for folder in found[:NAMED])
            newest = ", the newest" if len(found) > NAMED else ""
            raise SeveralSessionsError(f"{len(found)} sessions begin with {text!r}{newest}: {names}")
        raise LookupError(
            f"no session in {self.root} is named {text!r} or begins with it, and it is not the path of one"
        )

    def find_own(self, text: str) -> SessionFolder:
        """Return a session that is to be changed; unlike `find` it takes no name that leads elsewhere."""
        if ".." in Path(text).parts or text.startswith("-"):
            raise LookupError(
                f"{text!r} leads through .. or begins with a dash: expected the name of a session to change"
            )
        return self.find(text)

    def rename(self, folder: SessionFolder, name: str) -> SessionFolder:
        """Rename a session and its folder; ShelfError if impossible."""
        if problem := self.problem_with(name):
            raise ShelfError(problem)
        with self._claim(folder, "renamed"):
            return SessionFolder(folder.path.rename(self.root / name))

    def problem_with(self, name: str) -> str:
        """Return why a name cannot be given to a session, one sentence; empty if it can."""
        if not NAME.fullmatch(name):
            return (
                f"{name!r} is not a valid session name: use up to {LONGEST_NAME} letters, digits, dots, "
                "dashes and underscores, the first a letter or a digit"
            )
        return f"there is already a session named {name}" if os.path.lexists(self.root / name) else ""

    def delete(self, folder: SessionFolder) -> None:
        """Delete a session with its folder; ShelfError if impossible."""
        # Out of sight first: whatever cannot be removed is then not half a session.
        grave = self.root / f".{folder.name}-{os.getpid()}"
        with self._claim(folder, "deleted"):
            folder.path.rename(grave)
        try:
            shutil.rmtree(grave)
        except OSError as error:
            raise ShelfError(f"not all of {folder.name} could be deleted: {shortage(error)}") from None

    @contextlib.contextmanager
    def _claim(self, folder: SessionFolder, done: str) -> Iterator[None]:
        """Keep the session from running meanwhile; ShelfError if it runs, is a link or on another shelf."""
        if folder.path.is_symlink():
            target = os.path.realpath(folder.path)
            raise ShelfError(f"{folder.path} is a link to {target}: it can only be {done} by hand")
        if folder.path.resolve().parent != self.root.resolve():
            raise ShelfError(f"{folder.path} is not in {self.root}: it can only be {done} by hand")
        if folder.goes_on():
            state = folder.state(None)
            raise ShelfError(f"{folder.name} is {state}: it can be {done} once it has ended")
        try:
            with folder.claim():
                yield
        except OSError as error:
            raise ShelfError(f"{folder.name} cannot be {done}: {shortage(error)}") from None
        except RuntimeError as error:
            raise ShelfError(f"{folder.name} cannot be {done}: {error}") from None


def problem_with_stem(name: str) -> str:
    """Return why a session cannot be named after this, one sentence; empty if it can.

    Characters that do not fit into a name are replaced, but nothing that leads to another folder is.
    """
    if "/" in name or "\0" in name or name.startswith(("-", ".")) or not re.search(r"\w", name):
        return (
            f"{name!r} is not a valid session name: expected letters or digits first, and no slash, as in "
            "batch-256"
        )
    return ""


def default_root() -> Path:
    """Return the default location of sessions."""
    return platformdirs.user_state_path("gpubench-tui") / "sessions"


def _new_folder(path: Path) -> Path:
    number = 1
    while True:
        candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
        try:
            candidate.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return candidate


def _is_session(path: Path) -> bool:
    return is_file(path / "plan.json") or is_file(path / "journal.jsonl")


def _problem(error: OSError) -> str:
    if error.errno in WITHOUT_LOCKS:
        return f"its file system has no locks ({error.strerror})"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"there is no room for a session ({error.strerror})"
    return error.strerror or str(error)
