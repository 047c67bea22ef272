"""An overview of hundreds of sessions, without reading all of their journals."""

from __future__ import annotations

import contextlib
import importlib.metadata
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from ...record.events import RunFinished, RunsAdded, RunStarted, SessionFinished, SessionStarted
from ...record.journal import Follower
from ...record.session import WITHOUT_STEPS, Session, read_session
from ...record.session_folder import SessionFolder, State
from ...record.shelf import Shelf
from ...text.encoding import decode_json, encode_json
from ...text.files import read_whole, replace_private
from ...text.plain import cut_in_middle, message_of
from ..analysis import analyse
from ..environment import hardware
from ..trained import trained, trained_briefly

MILESTONES = (SessionStarted, RunsAdded, RunStarted, RunFinished, SessionFinished)
"""Events that determine a session's state."""
OVER: frozenset[State] = frozenset({"finished", "stopped", "interrupted"})
"""Final states."""
SETTLING_NS = 2_000_000_000
"""Time after a change during which the shelf is listed anew on each read."""


class SessionOverview(Struct, frozen=True, kw_only=True):
    """One row of the list of sessions."""

    name: str
    path: str
    preset: str
    title: str
    unix_time: float
    """Start of the session."""
    host: str
    trained: str
    """Training in one line, with what was changed from the preset."""
    model: str
    """Models and precisions."""
    hardware: str
    """Host, devices and versions in one line."""
    program: str
    """Version of gpubench-tui that measured; empty if nothing was recorded."""
    state: State
    runs: int
    """Number of runs in the plan."""
    measured: int
    failed: int
    """Number of runs that failed, those left out whose failure is a result of a tune."""
    current: str
    """Label of the current run; empty if none."""
    reason: str = ""
    """Cause of an interruption; empty where there was none or it is not recorded."""
    headline: str | None = None
    """Headline of the session, possibly empty; None until it has been computed."""

    @property
    def folder(self) -> SessionFolder:
        """Files of the session."""
        return SessionFolder(Path(self.path))

    @property
    def shown_state(self) -> str:
        """State in a word; `failed` for a session that came to its end and measured nothing."""
        return "failed" if self.state == "finished" and self.failed and not self.measured else self.state

    def matches(self, text: str) -> bool:
        """Return whether every word of the text occurs in the row, ignoring case."""
        own = (self.name, self.preset, self.title, self.trained, self.host, self.state, self.current)
        searched = "\n".join((*own, self.headline or "", "failed" if self.failed else "")).casefold()
        return all(word in searched for word in text.casefold().split())


class UnreadableSession(Struct, frozen=True):
    """A session that left nothing readable."""

    name: str
    path: str
    reason: str
    """Why its plan cannot be read, a phrase; its journal says nothing either."""

    @property
    def folder(self) -> SessionFolder:
        """Files of the session."""
        return SessionFolder(Path(self.path))

    def __str__(self) -> str:
        return f"neither its journal nor its plan can be read ({self.folder.plan.name}: {self.reason})"

    def matches(self, text: str) -> bool:
        """Return whether every word of the text occurs in the row, ignoring case."""
        return all(word in f"{self.name}\n{self}".casefold() for word in text.casefold().split())


class ShelfOverview:
    """Overview of all sessions on a shelf, for repeated reading by one thread.

    Only sessions that are not over are read again.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._known: dict[str, _WatchedSession] = {}
        self._listed: int | None = None

    def read(self) -> Iterator[SessionOverview]:
        """Yield every readable session, newest first."""
        changed = _changed(self._shelf.root)
        if changed is None or changed != self._listed:
            yield from self._list()
            # A folder gets its files a moment after the shelf has changed.
            is_settled = changed is not None and time.time_ns() - changed > SETTLING_NS
            self._listed = changed if is_settled else None
        else:
            yield from filter(None, (seen.look() for seen in self._known.values()))

    def unreadable(self) -> list[UnreadableSession]:
        """Return the sessions, among those last read, that left nothing readable."""
        return [seen.unreadable for seen in self._known.values() if seen.unreadable is not None]

    def _list(self) -> Iterator[SessionOverview]:
        before, self._known = self._known, {}
        for folder in self._shelf.all():
            inode = _inode(folder)
            seen = before.get(folder.name)
            if seen is None or seen.inode != inode:
                seen = _WatchedSession(folder, inode)
            self._known[folder.name] = seen
            if (entry := seen.look()) is not None:
                yield entry

    def complete(self, name: str) -> SessionOverview | None:
        """Return a session read before, with its headline; None if it no longer exists."""
        seen = self._known.get(name)
        return seen.complete() if seen is not None else None


class _WatchedSession:
    """One session: its milestones so far, or the cached overview once it is over."""

    def __init__(self, folder: SessionFolder, inode: int) -> None:
        self.unreadable: UnreadableSession | None = None
        """Set while the session has left nothing readable."""
        self.inode = inode
        """Inode of the folder, as another folder may get the name of one renamed or deleted."""
        self._folder = folder
        self._follower = Follower(folder.journal, MILESTONES)
        self._session = Session(folder.name)
        self._final = _kept(folder)

    def look(self) -> SessionOverview | None:
        """Return the current overview; None if the session left nothing readable."""
        if self._final is not None:
            return self._final
        # Asked before reading: what a session wrote before it went is then read after it went.
        state = self._folder.state(None)
        # Of a journal that cannot be read, or no longer, the plan is left.
        with contextlib.suppress(OSError):
            for event in self._follower.events():
                self._session.apply(event)
        entry = self._entry(self._session, state)
        if self._session.outcome is not None:
            self._final = entry
        return entry

    def complete(self) -> SessionOverview | None:
        """Return the overview with its headline; cached beside the journal once the session is over."""
        if self._final is not None and self._final.headline is not None:
            return self._final
        state, stamp = self._folder.state(None), _stamp(self._folder)
        session = self._read()
        entry = self._entry(session, state)
        if entry is None:
            return None
        entry = msgspec.structs.replace(entry, headline=analyse(session).headline)
        if session.started and entry.state in OVER:
            self._final = entry
            _keep(self._folder, stamp, entry)
        return entry

    def _entry(self, session: Session, state: State) -> SessionOverview | None:
        folder = self._folder
        try:
            self.unreadable = None
            return _entry(folder, session, state)
        except (OSError, msgspec.DecodeError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or message_of(error)
            self.unreadable = UnreadableSession(folder.name, str(folder.path), cut_in_middle(reason, 200))
            return None

    def _read(self) -> Session:
        try:
            return read_session(self._folder.journal, WITHOUT_STEPS)
        except OSError:
            return Session(self._folder.name)


def overview_of(folder: SessionFolder) -> SessionOverview | None:
    """Return the overview of one session with its headline; None if it left nothing readable."""
    return _WatchedSession(folder, _inode(folder)).complete()


def _changed(root: Path) -> int | None:
    """Return when a session was last added to or removed from the shelf, in ns; None if unknown."""
    try:
        return root.stat().st_mtime_ns
    except OSError:
        return None


def _inode(folder: SessionFolder) -> int:
    try:
        return folder.path.stat().st_ino
    except OSError:
        return 0


def _entry(folder: SessionFolder, session: Session, state: State) -> SessionOverview:
    """Return the overview; OSError, ValueError or msgspec.DecodeError where not even the plan is readable."""
    if not session.started:
        request = folder.request()
        session.unix_time = folder.plan.stat().st_mtime
        session.plan, session.host = request.plan, request.host
    states = [run.state for run in session.runs.values()]
    return SessionOverview(
        name=folder.name,
        path=str(folder.path),
        preset=session.plan.preset,
        title=session.plan.title,
        unix_time=session.unix_time,
        host=session.host.name,
        trained=trained(session.plan),
        model=trained_briefly(session.plan),
        hardware=hardware(session),
        program=session.program,
        state=session.outcome or state,
        runs=len(session.plan.runs),
        measured=states.count("measured"),
        failed=sum(
            run.state == "failed" and not session.plan.may_fail(run.spec) for run in session.runs.values()
        ),
        current=session.runs[session.current].spec.label if session.current else "",
        reason=session.reason,
    )


class _Kept(Struct, frozen=True):
    """Content of `summary.json`: an overview, with the journal's size and time and the program's version."""

    stamp: tuple[int, int]
    version: str
    entry: SessionOverview


def _stamp(folder: SessionFolder) -> tuple[int, int]:
    """Return size in bytes and modification time in ns of the journal; zeros without one."""
    try:
        status = folder.journal.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _kept(folder: SessionFolder) -> SessionOverview | None:
    """Return the cached overview of a session, unless it is out of date."""
    try:
        kept = decode_json(read_whole(folder.summary), _Kept)
    except (OSError, msgspec.DecodeError, ValueError):
        return None
    if kept.stamp != _stamp(folder) or kept.version != _version():
        return None
    return msgspec.structs.replace(kept.entry, name=folder.name, path=str(folder.path))


def _keep(folder: SessionFolder, stamp: tuple[int, int], entry: SessionOverview) -> None:
    content = encode_json(_Kept(stamp, _version(), entry))
    # A shelf that cannot be written to is only slower.
    with contextlib.suppress(OSError):
        replace_private(folder.summary, content)


def _version() -> str:
    return importlib.metadata.version("gpubench-tui")
