"""The folder of one session: its files, and the locks that say whether it waits or runs."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ..host.facts import Host
from ..plan.plan import Plan
from ..text.encoding import decode_json, encode_json
from ..text.files import is_file, read_whole, write_private
from .events import SessionOutcome
from .lock import holds, is_taken, take

STARTED = re.compile(r"(?<=.)-\d{8}-\d{6}(-\d+)?$")
"""Time of the start at the end of a session's name, and the number of the session in that second."""
RESERVE_BYTES = 64 << 10
"""Space reserved on the disk for the last words of a session, besides that of its plan."""

State = Literal["waiting", "running", "finished", "stopped", "interrupted"]
"""`waiting`: in the queue. `interrupted`: the session could not go on, or its process was killed."""


class Request(Struct, frozen=True):
    """The plan and host given to a session; stored as `plan.json` in its folder."""

    plan: Plan
    host: Host
    resumes: str = ""
    """Name of the session whose measured runs are in `earlier.jsonl`; empty for none."""


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
            raise RuntimeError(f"the session {self.name} is already running")
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
            raise OSError(f"the session {self.name} is already waiting")
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
        signed = self._signature()
        return signed is not None and signed[1] != socket.gethostname()

    def _signature(self) -> tuple[str, str] | None:
        """Return the process and the machine that the lock names, if it does; raises OSError."""
        words = read_whole(self.lock).decode(errors="replace").split()
        return (words[0], words[1]) if len(words) == 2 else None

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
            process, machine = self._signature() or ("", "")
        except OSError:
            return None
        if machine != socket.gethostname() or not re.fullmatch("[0-9]{1,9}", process):
            return None
        pid = int(process)
        return pid if holds(pid, self.lock) else None

    def state(self, outcome: SessionOutcome | None) -> State:
        """Return the session's state, given the outcome recorded in its journal."""
        if outcome is not None:
            return outcome
        return "waiting" if self.is_waiting() else "running" if self.is_running() else "interrupted"


def _sign(lock: int) -> None:
    """Write into a lock which process of which machine holds it."""
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()} {socket.gethostname()}\n".encode())
