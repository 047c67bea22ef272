"""Execution of one run, from the launch of its ranks until the last of its processes has ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal

from msgspec import Struct

from ..host.shortage import no_shared_memory
from ..plan.assignment import Assignment
from ..plan.needs import cache_folder
from ..plan.plan import RunSpec
from ..record.events import ModelBuilt, PhaseChanged, RankEvent, RankMeasured, RunFinished, Window
from ..record.run import RunState
from ..record.session_folder import SessionFolder
from .failures.blame import Ends, is_of_peer
from .failures.evidence import Observations
from .failures.exits import ExitWatch
from .failures.outcome import Aftermath, Ending, described_outcome
from .failures.watchdog import ENTER_SECONDS, RunWatch, Silence
from .launch import Launch
from .listener import Appeared, Ended, Heard, RankListener
from .processes.family import SWEEP_SECONDS, Family
from .processes.fork_server import ForkServerWatch, start_fork_server
from .processes.parentage import is_stopped, kill
from .processes.remains import remove_shared_memory
from .processes.temporary import identity, was_deleted
from .rank_entry import close_end
from .rank_logs import RankLogs
from .recorder import Recorder

QUEUE_MESSAGES = 256
"""Capacity of a rank's queue in messages, some 25 s of them, before metrics are dropped."""
TICK_SECONDS = 0.25
"""Interval of the watchdog's checks while nothing happens."""

# Time that ranks have, once it is clear that the run is over, before they are killed.
LEAVE_SECONDS = 15.0  # all have finished; closing a group of many GPUs takes a while
FAIL_SECONDS = 1.0  # one has failed: for its last message and those of its peers
DETAIL_SECONDS = 5.0  # one has given up its detail phase: for its peers, which NCCL leaves waiting
STACKS_SECONDS = 5.0  # one hangs: to write the stacks, at most
STOP_SECONDS = 1.0  # they were sent SIGTERM
SILENT_SECONDS = 0.5
"""Silence from which on a rank's use of the CPU is watched."""
ABANDON_SECONDS = 30.0
"""Time that a killed process has to end: one that waits for a broken device may never do so."""

Request = Literal["stop", "skip", "hurry"]


class Launched(Struct, frozen=True):
    """The elastic agent is done."""


class RunExecution:
    """A run in progress. Its threads only send messages; one thread reads them and decides everything."""

    def __init__(
        self,
        spec: RunSpec,
        folder: SessionFolder,
        temporary: Callable[[], Path],
        recorder: Recorder,
        worker: str,
        rank_logs: RankLogs,
    ) -> None:
        self.spec = spec
        self._folder = folder
        self._find_temporary = temporary
        self._recorder = recorder
        self._worker = worker
        self._rank_logs = rank_logs
        # Unlike queue.Queue, this one may be written by a signal handler.
        self._inbox: SimpleQueue[Heard | Appeared | Ended | Launched | Request] = SimpleQueue()
        self._watch = RunWatch.over(spec)
        self.measured = RunState(spec)
        """Phases and windows of the run so far."""
        self._logs = [folder.rank_log(spec.id, rank) for rank in range(spec.world_size)]
        self._ending: Ending | None = None
        self._silence: Silence | None = None
        self._evidence = Observations(self._logs)
        self._kill_at = float("inf")
        self._look_at = 0.0

    def ask(self, request: Request) -> None:
        """Ask for an early end of the run, from any thread or from a signal handler."""
        self._inbox.put(request)

    def run(self) -> RunFinished:
        """Launch the ranks, follow them, and return the outcome once all processes of the run have ended."""
        self._say(f"{self.spec.label} started")
        self._temporary = self._find_temporary()
        start_fork_server()
        self._family, self._server = Family(), ForkServerWatch()
        with tempfile.TemporaryDirectory(dir=self._temporary, ignore_cleanup_errors=True) as meeting:
            self._meeting, self._met = Path(meeting), identity(Path(meeting))
            self._start(meeting)
            while (self._followed or self._launching) and not self._is_abandoned():
                with contextlib.suppress(Empty):
                    self._answer(self._inbox.get(timeout=max(0.0, self._look_at - time.monotonic())))
                if time.monotonic() >= self._look_at:
                    self._check()
            self._sweep()
        self._close_readers()
        remove_shared_memory(self._temporary)
        self._exits.close()
        verdict = self._aftermath().verdict(self._recorder.now())
        for level, text in described_outcome(verdict, self.measured):
            self._say(text, level)
        return verdict

    def _start(self, meeting: str) -> None:
        assignment = Assignment(
            run=self.spec,
            started=self._recorder.started,
            logs=str(self._folder.logs),
            rendezvous=meeting,
            cache=str(cache_folder()),
        )
        context = multiprocessing.get_context("forkserver")
        try:
            queues = [context.Queue(QUEUE_MESSAGES) for _ in range(self.spec.world_size)]
        except OSError as error:
            raise OSError(no_shared_memory(error)) from error
        put = self._inbox.put
        self._launch = Launch(
            self._worker,
            assignment,
            queues,
            born=lambda rank, pid: put(Appeared(rank, pid, entered=False)),
            done=lambda: put(Launched()),
        )
        self._launching = True
        self._started = time.monotonic()
        self._queues = queues
        self._writers: list[Queue[Any]] = queues
        self._lines = [
            RankListener(rank, queue, self._recorder.write, put) for rank, queue in enumerate(queues)
        ]
        self._followed = set(self._watch.ranks)
        self._exits = ExitWatch()
        for thread in (*self._lines, self._exits, self._launch):
            thread.start()

    # Messages, handled one at a time.

    def _answer(self, message: Heard | Appeared | Ended | Launched | Request) -> None:
        watch = self._watch
        match message:
            case Heard(rank=rank, events=events):
                self._hear(rank, events)
            case Appeared(rank=rank, pid=pid, entered=entered):
                watch.appear(rank, pid, entered=entered)
                self._exits.add(rank, pid)
                if watch.complete:
                    self._close_writers()
            case Ended(rank=rank, when=when, alive=alive):
                watch.ranks[rank].ended, watch.ranks[rank].cut_off = when, alive
                self._followed.discard(rank)
                self._launch.look()
                if not self._followed:
                    self._launch.leave()
            case Launched():
                self._launching = False
                self._close_writers()
                for rank, pid in self._launch.failed.items():
                    watch.ranks[rank].pid = pid
                if self._launch.error is not None:
                    self._check_meeting(needed=True)
                    self._end("failed", 0.0)
            case "stop" | "skip":
                kill(watch.pids, signal.SIGTERM)
                self._end("stopped" if message == "stop" else "skipped", STOP_SECONDS)
            case "hurry":
                self._end("stopped", 0.0)
        if watch.broken:
            self._fail()

    def _fail(self) -> None:
        """End the run, because a rank has failed; look at the others unless it has said that it was first."""
        self._check_meeting()
        told = [each.failed for each in self._watch.ranks.values() if each.failed is not None]
        if self._ending is None and all(is_of_peer(each.kind, each.message) for each in told):
            self._evidence.take(self._pids_at_work())
        self._end("failed", FAIL_SECONDS)

    def _pids_at_work(self) -> dict[int, int]:
        return {
            each.rank: each.pid
            for each in self._watch.ranks.values()
            if each.pid is not None and each.at_work
        }

    def _hear(self, rank: int, events: Sequence[RankEvent]) -> None:
        self._watch.hear(rank, events)
        for event in events:
            if isinstance(event, ModelBuilt | Window | RankMeasured | PhaseChanged):
                self.measured.apply(event)
        if self._watch.finished:
            self._end("finished", LEAVE_SECONDS)
        elif self._watch.measured and self._watch.troubled:
            self._end("failed", DETAIL_SECONDS)

    def _end(self, ending: Ending, grace: float) -> None:
        """End the run, as the first call says; give its ranks `grace` seconds to leave."""
        self._kill_at = min(self._kill_at, time.monotonic() + grace)
        self._look_at = min(self._look_at, self._kill_at)
        self._ending = self._ending or ending
        self._launch.look()

    def _close_writers(self) -> None:
        """Close our writing ends, which would keep a dead rank's pipe open."""
        for queue in self._writers:
            close_end(queue, "_writer")
        self._writers = []

    def _close_readers(self) -> None:
        """Close the reading ends except those still in use, so that a long plan does not collect pipes."""
        for rank, queue in enumerate(self._queues):
            if rank not in self._followed:
                close_end(queue, "_reader")

    # Checks, a few times a second.

    def _check(self) -> None:
        now = time.monotonic()
        self._look_at = now + TICK_SECONDS
        self._rank_logs.limit(self.spec.measure.log_megabytes * 1_000_000)
        for line in self._lines:
            if line.recording:
                self._watch.excuse(line.rank)
        self._check_silence(now)
        if not self._watch.complete and now - self._started > ENTER_SECONDS:
            self._launch.error = f"the ranks did not appear within {ENTER_SECONDS:.0f} s"
            self._end("failed", 0.0)
        self._check_fork_server()
        self._check_meeting()
        if any(line.rank in self._followed and line.process_is_gone() for line in self._lines):
            self._family.end_orphans()  # they keep a pipe open in which half a message may be stuck
        if now >= self._kill_at:
            self._family.strike()
            self._look_at = now + SWEEP_SECONDS

    def _check_silence(self, now: float) -> None:
        """End the run if a rank hangs, as soon as all have written their stacks."""
        for rank, pid in self._pids_at_work().items():
            silent = now - self._watch.ranks[rank].heard > SILENT_SECONDS
            self._evidence.watch_use(rank, pid, silent)
        if self._ending is None and (silence := self._watch.silence(is_stopped)) is not None:
            self._silence = silence
            self._evidence.take(self._pids_at_work())
            self._end("hung", STACKS_SECONDS)
        if self._ending == "hung" and now < self._kill_at:
            self._evidence.conclude()
            if self._evidence.is_complete():
                self._kill_at = now
            self._look_at = now + SWEEP_SECONDS

    def _check_fork_server(self) -> None:
        """End the run if its fork server is lost."""
        exits_awaited = self._launching and not self._followed
        if self._server.is_lost(
            ranks_awaited=not self._watch.complete, exits_awaited=exits_awaited, broken=self._launch.broken
        ):
            self._end("failed", FAIL_SECONDS)

    def _check_meeting(self, *, needed: bool = False) -> None:
        """End the run if the folder in which its ranks meet is gone: they would wait there for each other."""
        needed = needed or self.spec.world_size > 1
        if self._ending is None and needed and identity(self._meeting) != self._met:
            self._launch.error = was_deleted(self._temporary)
            self._end("failed", 0.0)

    def _is_abandoned(self) -> bool:
        """Whether to stop waiting, for processes that cannot be killed or for a launch no longer wanted."""
        late = time.monotonic() - self._kill_at
        unborn = self._ending == "stopped" and not self._watch.pids
        return late > ABANDON_SECONDS or (unborn and late > 0)

    def _sweep(self) -> None:
        """Kill whatever the ranks have left behind."""
        if left := self._family.end():
            numbers = ", ".join(map(str, sorted(left)))
            self._recorder.say(f"the processes {numbers} cannot be killed", run=self.spec.id)

    def _aftermath(self) -> Aftermath:
        self._check_fork_server()
        launch = self._launch
        return Aftermath(
            ending=self._ending,
            watch=self._watch,
            evidence=self._evidence,
            ends=Ends(
                codes=launch.exits, times=self._exits.times, noticed=list(launch.failed), killed=self._kill_at
            ),
            silence=self._silence,
            loss=self._server.loss if self._ending == "failed" else "",
            launch_error=launch.error,
            folder=self._folder,
            logs=self._logs,
            started=self._recorder.started,
        )

    def _say(self, text: str, level: Literal["info", "error"] = "info") -> None:
        self._recorder.say(text, level, self.spec.id)
