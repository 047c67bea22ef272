"""What became of a run's ranks, and who is to blame: judged from what was seen and heard alone."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from ..plan.plan import RunSpec
from ..record.events import FailureKind, RankEvent, RankFailed, RankFinished, RankStarted, Steps

STALL_SECONDS = 5.0
"""When this process itself did not come to look for so long, silence proves nothing."""

PEER_LOST = re.compile(
    r"(connection|socket).{0,40}(closed|reset|refused|aborted|timed? ?out)"
    r"|broken pipe|read error|write error|remote process exited|ncclremoteerror|\bpeer\b"
    r"|watchdog caught collective|timed out waiting|wait timeout|connectfullmesh",
    re.IGNORECASE,
)
"""What a rank says whose partner went before it: never the first cause where there is another."""

INNERMOST = re.compile(
    r"^Current thread .*\n  File \"(?P<file>.*)\", line (?P<line>\d+) in (?P<name>.*)$", re.M
)
"""Where the main thread stood, in the stacks that faulthandler wrote."""


class RankWatch(Struct, kw_only=True):
    """What is known of one rank. Times are `time.monotonic()`."""

    rank: int
    heard: float
    """When it last made progress."""
    pid: int | None = None
    started: bool = False
    steps: int = 0
    said: float = 0.0
    """The rank's own time of its last word."""
    finished: bool = False
    failed: RankFailed | None = None
    ended: float | None = None

    @property
    def at_work(self) -> bool:
        """Whether more is to come from it."""
        return not self.finished and self.failed is None and self.ended is None


class Hang(Struct, frozen=True):
    """A rank that made no progress for too long."""

    rank: int
    seconds: float
    steps: int


class Watch(Struct):
    """All ranks of a run."""

    spec: RunSpec
    ranks: dict[int, RankWatch]
    looked: float = field(default_factory=time.monotonic)

    @classmethod
    def over(cls, spec: RunSpec) -> Watch:
        """A watch over a run that starts now."""
        now = time.monotonic()
        return cls(spec, {rank: RankWatch(rank=rank, heard=now) for rank in range(spec.world_size)})

    def hear(self, rank: int, events: Iterable[RankEvent]) -> None:
        """Take note of what a rank said: any word of it is progress, for its heartbeats are not sent."""
        watched = self.ranks[rank]
        watched.heard = time.monotonic()
        for event in events:
            watched.said = max(watched.said, event.at)
            match event:
                case RankStarted():
                    watched.started = True
                case Steps():
                    watched.steps = max(watched.steps, event.first + len(event.seconds))
                case RankFinished():
                    watched.finished = True
                case RankFailed():
                    watched.failed = watched.failed or event

    def appear(self, rank: int, pid: int) -> None:
        """Take note that a rank's process exists."""
        self.ranks[rank].pid = pid
        self.ranks[rank].heard = time.monotonic()

    @property
    def pids(self) -> list[int]:
        """The processes of the ranks that have appeared and not ended."""
        return [w.pid for w in self.ranks.values() if w.pid is not None and w.ended is None]

    @property
    def complete(self) -> bool:
        """Whether every rank has appeared."""
        return all(watched.pid is not None for watched in self.ranks.values())

    @property
    def finished(self) -> bool:
        """Whether every rank did all it was asked to do."""
        return all(watched.finished for watched in self.ranks.values())

    @property
    def broken(self) -> bool:
        """Whether some rank has failed, or ended too early."""
        return any(w.failed or (w.ended is not None and not w.finished) for w in self.ranks.values())

    def hang(self, is_halted: Callable[[int], bool]) -> Hang | None:
        """The rank to blame when one has been silent for `hang_seconds`; `is_halted` tells it of a process.

        In ddp all fall silent with the one that hangs. It is the one that is halted, else the one with the
        fewest steps, else the one whose last word is the oldest.
        """
        now = time.monotonic()
        late = now - self.looked > STALL_SECONDS
        self.looked = now
        if late:  # this process was halted itself
            for watched in self.ranks.values():
                watched.heard = now
        limit = self.spec.measure.hang_seconds
        working = [w for w in self.ranks.values() if w.pid is not None and w.at_work]
        silent = [w for w in working if now - w.heard > limit / 2]
        if not any(now - watched.heard > limit for watched in silent):
            return None
        blamed = min(silent, key=lambda w: (not is_halted(w.pid or 0), w.steps, w.said))
        return Hang(blamed.rank, now - blamed.heard, blamed.steps)

    def cause(self, started: float, exits: Mapping[int, int], logs: Sequence[Path], killed: float) -> Cause:
        """Why the run failed: what befell a rank first, and not because another was gone.

        `started` and `killed`: when the session started and the ranks were killed; `exits`: exit codes by
        process id; `logs`: the ranks' files.
        """
        found = []
        for watched in self.ranks.values():
            if watched.failed is not None:
                found.append(_told(watched.failed))
            elif watched.ended is not None and not watched.finished:
                code = None if watched.pid is None else exits.get(watched.pid)
                # Elastic sends SIGTERM to those that are left when one has failed, and may not say so.
                taken_along = code in (None, -signal.SIGTERM) or watched.ended >= killed
                kind, message = _describe_exit(watched, code, logs[watched.rank])
                at = watched.ended - started
                found.append(
                    Cause(at=at, kind=kind, rank=watched.rank, message=message, secondary=taken_along)
                )
        found.sort(key=lambda cause: cause.at)
        return next((cause for cause in found if not cause.secondary), found[0])


class Cause(Struct, frozen=True, kw_only=True):
    """What befell one rank."""

    at: float
    kind: FailureKind
    rank: int
    message: str
    secondary: bool
    """It may be because another rank was gone."""


def _told(failed: RankFailed) -> Cause:
    peer = failed.kind == "raised" and PEER_LOST.search(failed.message) is not None
    return Cause(at=failed.at, kind=failed.kind, rank=failed.rank, message=failed.message, secondary=peer)


def describe_hang(hang: Hang, log: Path) -> str:
    """One sentence: how long, how far it had come, and where it stood if its stacks could be had."""
    places = list(INNERMOST.finditer(_tail(log)))
    where = (
        f", in {places[-1]['name']} ({Path(places[-1]['file']).name}:{places[-1]['line']})" if places else ""
    )
    return f"no progress for {hang.seconds:.0f} s after {hang.steps} steps{where}"


def last_line(log: Path) -> str | None:
    """The last line of a log that says something."""
    lines = [line.strip() for line in _tail(log).splitlines() if line.strip()]
    return lines[-1] if lines else None


def _describe_exit(watched: RankWatch, code: int | None, log: Path) -> tuple[FailureKind, str]:
    if code is not None and code < 0:
        name = _signal_name(-code)
        guess = ", by someone or by the kernel for want of memory" if name == "SIGKILL" else ""
        return "killed", f"killed by {name}{guess}"
    said = last_line(log)
    tail = f"; its last words: {said}" if said else ""
    status = f"with status {code}" if code else "without a word"
    if watched.started:
        return "raised", f"left {status} before it had finished{tail}"
    return "launch", f"left {status} before it had started{tail}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(log: Path, size: int = 64 * 1024) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
