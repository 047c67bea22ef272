"""The shelf: one folder for each session, and how to find sessions again."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import platformdirs
from msgspec import Struct

from ..host.facts import Host
from ..host.shortage import shortage
from ..plan.plan import Plan
from ..text.encoding import decode_json, encode_json
from ..text.files import (
    is_file,
    is_folder,
    make_private_folder,
    read_whole,
    user_path,
    write_private,
)
from .events import SessionOutcome
from .lock import holds, is_taken, take

LONGEST_NAME = 100
STARTED = re.compile(r"(?<=.)-\d{8}-\d{6}(-\d+)?$")
"""Time of the start at the end of a session's name, and the number of the session in that second."""
RESERVE_BYTES = 64 << 10
"""Space reserved on the disk for the last words of a session, besides that of its plan."""
DECIDE_SECONDS = 30.0
"""Time that another process may take to start a session."""
WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})
"""Errors of a file system that has no file locks."""
NAME = re.compile(rf"[^\W_][\w.-]{{,{LONGEST_NAME - 1}}}")

State = Literal["waiting", "running", "finished", "stopped", "interrupted"]
"""`waiting`: in the queue. `interrupted`: the session could not go on, or its process was killed."""


class Request(Struct, frozen=True):
    """The plan and host given to a session; stored as `plan.json` in its folder."""

    plan: Plan
    host: Host
    resumes: str = ""
    """Name of the session whose measured runs are in `earlier.jsonl`; empty for none."""


class ShelfError(Exception):
    """Raised when the shelf cannot do what was requested; the message is one sentence."""


class SessionFolder:
    """The files of one session, all private to the user."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path / "journal.jsonl"
        self.plan = path / "plan.json"
        self.preset = path / "preset.toml"
        self.logs = path / "logs"
        self.lock = path / "lock"
        self.turn = path / "turn"
        self.next = path / "next"
        self.log = path / "session.log"
        self.earlier = path / "earlier.jsonl"
        """Events taken over from the session that this one resumes, until its journal holds them."""
        self.reserve = path / "reserve"
        """Space for the last words of a session whose disk is full; removed when it ends."""
        self.summary = path / "summary.json"
        """Cached overview of the session; the journal remains authoritative."""

    @property
    def name(self) -> str:
        """Name of the session."""
        return self.path.name

    @property
    def stem(self) -> str:
        """Name of the session without the time of its start."""
        return STARTED.sub("", self.name)

    @property
    def created(self) -> int:
        """When the session was created, in ns; 0 where it was deleted."""
        # plan.json is written once, when the session is created.
        file = self.plan if is_file(self.plan) else self.journal
        try:
            return file.stat().st_mtime_ns
        except OSError:
            return 0

    def rank_log(self, run: str, rank: int) -> Path:
        """Return the file that receives everything a rank of a run prints."""
        return self.logs / f"{run}-rank{rank}.log"

    def fill(self, request: Request, preset_text: str) -> None:
        """Write the files of a new session, and make sure that its journal can be begun; raises OSError."""
        self.logs.mkdir(mode=0o700)
        write_private(self.preset, preset_text.encode(errors="backslashreplace"))
        written = encode_json(request)
        write_private(self.plan, written)
        # Of random bytes, which no file system compresses.
        write_private(self.reserve, os.urandom(len(written) + RESERVE_BYTES))
        file = take(self.lock)  # which shows whether there are locks; it stays, as there may be no room later
        if file is not None:
            os.close(file)

    def give_reserve(self) -> None:
        """Free the space that was reserved for last words, which also is room for one more file."""
        with contextlib.suppress(OSError):
            self.reserve.unlink(missing_ok=True)

    def request(self) -> Request:
        """Read the session's plan and host; OSError or msgspec.DecodeError if unreadable."""
        return decode_json(read_whole(self.plan), Request)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Mark the session as running in this process; RuntimeError if it already runs.

        The mark is a file lock, which forks of this process share. A held session is no longer queued.
        """
        with self.claim() as file:
            try:
                _sign(file)
            except OSError:  # the disk is full, and the session will have to say so
                self.give_reserve()
                _sign(file)
            yield

    @contextlib.contextmanager
    def claim(self) -> Iterator[int]:
        """Keep other processes from holding the session, and take it off the queue; RuntimeError if one
        does."""
        file = take(self.lock, seconds=1.0)
        if file is None:
            raise RuntimeError(f"the session {self.name} is running already")
        try:
            self.turn.unlink(missing_ok=True)
            yield file
        finally:
            os.close(file)

    def wait_for_turn(self, following: SessionFolder | None) -> int:
        """Mark the session as queued, with `following` behind it; raises OSError.

        It stays queued until it is held, as long as a process keeps the returned file descriptor open.
        """
        if following is not None:
            write_private(self.next, os.fsencode(following.name))
        file = take(self.turn, seconds=1.0)
        if file is None:
            raise OSError(f"the session {self.name} waits already")
        return file

    def is_waiting(self) -> bool:
        """Return whether the session is queued."""
        return is_taken(self.turn)

    def is_running(self) -> bool:
        """Return whether a session process holds the lock."""
        return is_taken(self.lock)

    def goes_on(self) -> bool:
        """Return whether the session is running or queued."""
        # In this order: it is held before it waits no longer.
        return self.is_waiting() or self.is_running()

    def queued_behind(self) -> list[SessionFolder]:
        """Return the sessions queued behind this one that are running or waiting, in order."""
        queue: dict[Path, SessionFolder] = {self.path: self}
        last = self
        while (following := last._following()) is not None and following.path not in queue:
            last = queue[following.path] = following
        return [folder for folder in list(queue.values())[1:] if folder.goes_on()]

    def _following(self) -> SessionFolder | None:
        """Return the session that was queued behind this one, whatever has become of it."""
        try:
            return SessionFolder(self.path.with_name(os.fsdecode(read_whole(self.next))))
        except (OSError, ValueError):
            return None

    def next_in_queue(self) -> SessionFolder | None:
        """Return the next session in the queue that is running or waiting; None if there is none."""
        return next(iter(self.queued_behind()), None)

    def is_elsewhere(self) -> bool:
        """Return whether another machine, which shares the file system, runs the session."""
        return self.is_running() and self._is_signed_elsewhere()

    def _is_signed_elsewhere(self) -> bool:
        words = read_whole(self.lock).decode(errors="replace").split()
        return len(words) == 2 and words[1] != socket.gethostname()

    def tidy(self) -> None:
        """Free the reserve of a session of this machine that was killed, and could not do so itself."""
        with contextlib.suppress(OSError):
            if self.reserve.exists() and not self.goes_on() and not self._is_signed_elsewhere():
                self.give_reserve()

    def pid(self) -> int | None:
        """Return the session process's id; None unless that process is this user's and holds the lock here.

        What the lock says is no proof: another user may have written it, or a container whose ids differ.
        """
        if not self.is_running():
            return None
        try:
            words = read_whole(self.lock).decode(errors="replace").split()
        except OSError:
            return None
        if len(words) != 2 or words[1] != socket.gethostname() or not re.fullmatch("[0-9]{1,9}", words[0]):
            return None
        pid = int(words[0])
        return pid if holds(pid, self.lock) else None

    def state(self, outcome: SessionOutcome | None) -> State:
        """Return the session's state, given the outcome recorded in its journal."""
        if outcome is not None:
            return outcome
        return "waiting" if self.is_waiting() else "running" if self.is_running() else "interrupted"


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
        stem = re.sub(r"[^\w.-]+", "-", name or plan.preset).strip("-.") or "session"
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
            names = ", ".join(folder.name for folder in found[:5]) + (", ..." if len(found) > 5 else "")
            raise LookupError(f"{len(found)} sessions begin with {text!r}: {names}")
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
        return f"there is a session called {name} already" if os.path.lexists(self.root / name) else ""

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


def _sign(lock: int) -> None:
    """Write into a lock which process of which machine holds it."""
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()} {socket.gethostname()}\n".encode())


def _is_session(path: Path) -> bool:
    return is_file(path / "plan.json") or is_file(path / "journal.jsonl")


def _problem(error: OSError) -> str:
    if error.errno in WITHOUT_LOCKS:
        return f"its file system has no locks ({error.strerror})"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"there is no room for a session ({error.strerror})"
    return error.strerror or str(error)
