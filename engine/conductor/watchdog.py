"""The state of a run's ranks, and which of them caused a failure."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from ..host.gpu.errors import abort_reason, memory_shortage, remedy_for
from ..plan.plan import RunSpec
from ..record.events import (
    FailureKind,
    PhaseChanged,
    RankEvent,
    RankFailed,
    RankFinished,
    RankMeasured,
    RankStarted,
    Steps,
)
from ..record.silence import silence_allowed
from ..text.files import open_regular

STALL_SECONDS = 5.0
"""Time after which silence proves nothing, because this process itself has not checked."""

PEER_LOST = re.compile(
    r"(connection|socket).{0,40}(closed|reset|refused|aborted|timed? ?out)"
    r"|broken pipe|(read|write) error (\[|remote=)|remote process exited|ncclremoteerror|by (remote )?peer\b"
    r"|pair closure|watchdog caught collective|timed out waiting|wait timeout|connectfullmesh",
    re.IGNORECASE,
)
"""Matches the error of a rank that lost its peer: never the first cause where there is another."""

INNERMOST = re.compile(
    r"^Current thread .*\n  File \"(?P<file>.*)\", line (?P<line>\d+) in (?P<name>.*)$", re.M
)
"""Matches the position of the main thread in the stacks that faulthandler wrote."""


class RankWatch(Struct, kw_only=True):
    """State of one rank. Times are `time.monotonic()`."""

    rank: int
    heard: float
    """Time of its last progress."""
    pid: int | None = None
    started: bool = False
    phase: str = ""
    steps: int = 0
    longest_step: float | None = None
    """Seconds of its longest step."""
    said: float = 0.0
    """Time of its last event, on the session's clock."""
    measured: bool = False
    """Whether its figures are complete: only the detail phase may follow."""
    finished: bool = False
    trouble: str = ""
    """Why its detail phase ended early."""
    failed: RankFailed | None = None
    ended: float | None = None

    @property
    def at_work(self) -> bool:
        """Whether it has neither finished nor failed nor ended."""
        return not self.finished and self.failed is None and self.ended is None


class Hang(Struct, frozen=True):
    """A rank that has made no progress for too long."""

    rank: int
    seconds: float
    steps: int


class RunWatch(Struct):
    """States of all ranks of a run."""

    spec: RunSpec
    ranks: dict[int, RankWatch]
    looked: float = field(default_factory=time.monotonic)

    @classmethod
    def over(cls, spec: RunSpec) -> RunWatch:
        """Create the watch over a run that starts now."""
        now = time.monotonic()
        return cls(spec, {rank: RankWatch(rank=rank, heard=now) for rank in range(spec.world_size)})

    def hear(self, rank: int, events: Iterable[RankEvent]) -> None:
        """Take in events of a rank. Any event is progress: a rank sends none merely to show it is alive."""
        watched = self.ranks[rank]
        watched.heard = time.monotonic()
        for event in events:
            watched.said = max(watched.said, event.at)
            if isinstance(event, PhaseChanged):
                watched.phase = event.phase
            match event:
                case RankStarted():
                    watched.started = True
                case PhaseChanged(compiling=True) if self.spec.mode != "concurrent":
                    for waiting in self.ranks.values():
                        waiting.heard = watched.heard
                case Steps():
                    watched.steps = max(watched.steps, event.first + len(event.seconds))
                    watched.longest_step = max([watched.longest_step or 0.0, *event.seconds])
                case RankMeasured():
                    watched.measured = True
                case RankFinished():
                    watched.finished = True
                    watched.trouble = event.detail_trouble
                case RankFailed():
                    watched.failed = watched.failed or event

    def excuse(self, rank: int) -> None:
        """Take in that the silence of a rank is not its own: its messages wait to be recorded."""
        self.ranks[rank].heard = time.monotonic()

    def appear(self, rank: int, pid: int) -> None:
        """Take in that a rank's process exists."""
        self.ranks[rank].pid = pid
        self.ranks[rank].heard = time.monotonic()

    @property
    def pids(self) -> list[int]:
        """Process ids of the ranks that have appeared and not ended."""
        return [w.pid for w in self.ranks.values() if w.pid is not None and w.ended is None]

    @property
    def complete(self) -> bool:
        """Whether every rank has appeared."""
        return all(watched.pid is not None for watched in self.ranks.values())

    @property
    def finished(self) -> bool:
        """Whether every rank has finished its work."""
        return all(watched.finished for watched in self.ranks.values())

    @property
    def measured(self) -> bool:
        """Whether every rank has complete figures, so that a failure costs only the detail phase."""
        return all(watched.measured for watched in self.ranks.values())

    @property
    def troubled(self) -> bool:
        """Whether any rank has given up its detail phase; others may wait for it inside a collective."""
        return any(watched.trouble for watched in self.ranks.values())

    @property
    def broken(self) -> bool:
        """Whether any rank has failed or ended early."""
        return any(w.failed or (w.ended is not None and not w.finished) for w in self.ranks.values())

    def hang(self, is_halted: Callable[[int], bool]) -> Hang | None:
        """Return the rank that caused a silence longer than allowed, or None while there is none.

        In ddp all ranks stop reporting with the one that hangs. It is the one whose process `is_halted`, else
        the one with the fewest steps, else the one whose last event is the oldest. Whoever has halted one
        may let it go on: that may take all of `hang_seconds`.
        """
        now = time.monotonic()
        late = now - self.looked > STALL_SECONDS
        self.looked = now
        if late:  # this process itself was halted
            for watched in self.ranks.values():
                watched.heard = now
        working = [w for w in self.ranks.values() if w.pid is not None and w.at_work]
        overdue = [now - w.heard for w in working if now - w.heard > self._allowed(w)]
        if not overdue:
            return None
        halted = {w.rank for w in working if is_halted(w.pid or 0)}
        if halted and max(overdue) <= self.spec.measure.hang_seconds:
            return None
        silent = [w for w in working if now - w.heard > self._allowed(w) / 2]
        blamed = min(silent, key=lambda w: (w.rank not in halted, w.steps, w.said))
        return Hang(blamed.rank, now - blamed.heard, blamed.steps)

    def _allowed(self, watched: RankWatch) -> float:
        return silence_allowed(self.spec, watched.rank, watched.phase, watched.steps, watched.longest_step)

    def cause(self, started: float, exits: Mapping[int, int], logs: Sequence[Path], killed: float) -> Cause:
        """Return why the run failed: the first failure of a rank that another's end does not explain.

        `started` and `killed`: times at which the session started and the ranks were killed; `exits`: exit
        codes by process id; `logs`: log files by rank.
        """
        found = []
        for watched in self.ranks.values():
            if watched.failed is not None:
                found.append(_told(watched.failed))
            elif watched.ended is not None and not watched.finished:
                code = None if watched.pid is None else exits.get(watched.pid)
                # When one has failed, elastic sends SIGTERM to the others and may not report their codes.
                taken_along = code in (None, -signal.SIGTERM) or watched.ended >= killed
                kind, message = _describe_exit(watched, code, logs[watched.rank])
                at = watched.ended - started
                secondary = taken_along or _is_of_peer(kind, message)
                found.append(Cause(at=at, kind=kind, rank=watched.rank, message=message, secondary=secondary))
        found.sort(key=lambda cause: cause.at)
        return next((cause for cause in found if not cause.secondary), found[0])


class Cause(Struct, frozen=True, kw_only=True):
    """Failure of one rank."""

    at: float
    kind: FailureKind
    rank: int
    message: str
    secondary: bool
    """Whether the loss of another rank may explain it."""


def _told(failed: RankFailed) -> Cause:
    secondary = _is_of_peer(failed.kind, failed.message)
    return Cause(
        at=failed.at, kind=failed.kind, rank=failed.rank, message=failed.message, secondary=secondary
    )


def _is_of_peer(kind: FailureKind, message: str) -> bool:
    """Whether a failure complains of another rank that went first."""
    return kind == "raised" and PEER_LOST.search(message) is not None


def describe_hang(hang: Hang, log: Path) -> str:
    """Return one sentence: for how long, after how many steps, and where, if the stacks tell."""
    places = list(INNERMOST.finditer(_tail(log)))
    where = (
        f", in {places[-1]['name']} ({Path(places[-1]['file']).name}:{places[-1]['line']})" if places else ""
    )
    return f"no progress for {hang.seconds:.0f} s after {hang.steps} steps{where}"


def last_line(log: Path) -> str | None:
    """Return the last line of a log that is not blank."""
    lines = [line.strip() for line in _tail(log).splitlines() if line.strip()]
    return lines[-1] if lines else None


def _describe_exit(watched: RankWatch, code: int | None, log: Path) -> tuple[FailureKind, str]:
    if code == -signal.SIGABRT and (reason := abort_reason(_tail(log))):
        remedy = remedy_for(reason)
        message = f"aborted: {reason}" + (f"; {remedy}" if remedy else "")
        return "out of memory" if memory_shortage(reason) == "certain" else "raised", message
    if code is not None and code < 0:
        name = _signal_name(-code)
        guess = ", by a user or by the kernel when memory ran out" if name == "SIGKILL" else ""
        return "killed", f"killed by {name}{guess}"
    said = last_line(log)
    tail = f"; last line of its log: {said}" if said else ""
    status = f"with status {code}" if code else "without a message"
    if watched.started:
        return "raised", f"ended {status} before it had finished{tail}"
    return "launch", f"ended {status} before it had started{tail}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(log: Path, size: int = 64 * 1024) -> str:
    try:
        with open_regular(log) as file:
            file.seek(max(0, log.stat().st_size - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
