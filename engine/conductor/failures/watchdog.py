"""The state of a run's ranks, as they report it, and when their silence is too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from msgspec import Struct, field

from ...plan.plan import RunSpec
from ...record.events import (
    PhaseChanged,
    RankEvent,
    RankFailed,
    RankFinished,
    RankMeasured,
    RankStarted,
    Steps,
)
from ...record.silence import silence_allowed

ENTER_SECONDS = 300.0
"""Silence that a rank is allowed until it is ready: the first import may come over a slow network."""
STALL_SECONDS = 5.0
"""Time after which silence proves nothing, because this process itself has not checked."""


class RankWatch(Struct, kw_only=True):
    """State of one rank. Times are `time.monotonic()`."""

    rank: int
    heard: float
    """Time of its last progress."""
    pid: int | None = None
    entered: bool = False
    """Whether its process is ready for its work."""
    started: bool = False
    phase: str = ""
    steps: int = 0
    longest_step: float | None = None
    """Seconds of its longest step."""
    step_seconds: float = 0.0
    """Seconds of all its steps."""
    said: float = 0.0
    """Time of its last event, on the session's clock."""
    measured: bool = False
    """Whether its figures are complete: only the detail phase may follow."""
    finished: bool = False
    trouble: str = ""
    """Why its detail phase ended early."""
    failed: RankFailed | None = None
    ended: float | None = None
    cut_off: bool = False
    """Whether its process has lived on after it had closed its pipe."""

    @property
    def mean_step(self) -> float:
        """Seconds of a step, 0 before the first."""
        return self.step_seconds / self.steps if self.steps else 0.0

    @property
    def at_work(self) -> bool:
        """Whether it has neither finished nor failed nor ended."""
        return not self.finished and self.failed is None and self.ended is None


class Silence(Struct, frozen=True):
    """A silence of ranks that has lasted for too long."""

    noticed: float
    """`time.monotonic()` when it had."""
    ranks: tuple[RankWatch, ...]
    """Ranks that are silent."""
    halted: frozenset[int]
    """Numbers of those whose processes are stopped."""


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
                    watched.step_seconds += sum(event.seconds)
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

    def appear(self, rank: int, pid: int, *, entered: bool) -> None:
        """Take in that a rank's process exists, and whether it is ready for its work."""
        watched = self.ranks[rank]
        watched.pid = pid
        watched.heard = time.monotonic()
        watched.entered |= entered

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

    def silence(self, is_halted: Callable[[int], bool]) -> Silence | None:
        """Return the ranks that are silent while one is for longer than allowed, or None while none is.

        In ddp all ranks stop reporting with the one that hangs. Whoever has halted one may let it go on: that
        may take all of `hang_seconds`.
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
        silent = [
            w for w in working if now - w.heard > self._allowed(w) / 2 or w.rank in halted or not w.entered
        ]
        return Silence(now, tuple(silent), frozenset(halted))

    def _allowed(self, watched: RankWatch) -> float:
        if not watched.entered:
            return max(ENTER_SECONDS, self.spec.measure.hang_seconds)
        return silence_allowed(self.spec, watched.rank, watched.phase, watched.steps, watched.longest_step)
