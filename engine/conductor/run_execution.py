"""Execution of one run, from the launch of its ranks until the last of its processes has ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal

import psutil
from msgspec import Struct

from ..analysis.results.throughput import run_summary
from ..plan.assignment import Assignment
from ..plan.needs import cache_folder
from ..plan.plan import RunSpec
from ..record.events import Failure, RankEvent, RankMeasured, RunFinished, Window
from ..record.run import RunState
from ..record.shelf import SessionFolder
from ..text.units import rate
from .launch import Launch, start_fork_server
from .listener import Appeared, Ended, Heard, RankListener
from .parentage import bury, descendants, kill, orphans
from .rank_entry import close_end
from .recorder import Recorder
from .watchdog import Cause, Hang, RunWatch, describe_hang

QUEUE_MESSAGES = 256
"""Capacity of a rank's queue in messages, some 25 s of them, before metrics are dropped."""
TICK_SECONDS = 0.25
"""Interval of the watchdog's checks while nothing happens."""
SWEEP_SECONDS = 0.02
"""Interval at which processes that must end are killed again, until none is left."""

# Time that ranks have, once it is clear that the run is over, before they are killed.
LEAVE_SECONDS = 15.0  # all have finished; closing a group of many GPUs takes a while
FAIL_SECONDS = 1.0  # one has failed: for its last message and those of its peers
DETAIL_SECONDS = 5.0  # one has given up its detail phase: for its peers, which NCCL leaves waiting
STACKS_SECONDS = 0.3  # one hangs: to write the stacks
STOP_SECONDS = 1.0  # they were sent SIGTERM
LAUNCH_SECONDS = 300.0
"""Time that the ranks have to appear: the first import of torch may come over a slow network."""
ABANDON_SECONDS = 30.0
"""Time that a killed process has to end: one that waits for a broken device may never do so."""

Request = Literal["stop", "skip", "hurry"]
Ending = Literal["finished", "failed", "hung", "stopped", "skipped"]


class Launched(Struct, frozen=True):
    """The elastic agent is done."""


class RunExecution:
    """A run in progress. Its threads only send messages; one thread reads them and decides everything."""

    def __init__(
        self, spec: RunSpec, folder: SessionFolder, temporary: Path, recorder: Recorder, worker: str
    ) -> None:
        self.spec = spec
        self._folder = folder
        self._temporary = temporary
        self._recorder = recorder
        self._worker = worker
        # Unlike queue.Queue, this one may be written by a signal handler.
        self._inbox: SimpleQueue[Heard | Appeared | Ended | Launched | Request] = SimpleQueue()
        self._watch = RunWatch.over(spec)
        self._measured = RunState(spec)
        self._logs = [folder.rank_log(spec.id, rank) for rank in range(spec.world_size)]
        self._ending: Ending | None = None
        self._hang: Hang | None = None
        self._kill_at = float("inf")
        self._look_at = 0.0

    def ask(self, request: Request) -> None:
        """Ask for an early end of the run, from any thread or from a signal handler."""
        self._inbox.put(request)

    def run(self) -> RunFinished:
        """Launch the ranks, follow them, and return the outcome once all processes of the run have ended."""
        self._say(f"{self.spec.label} started")
        start_fork_server()
        self._family = descendants()
        with tempfile.TemporaryDirectory(dir=self._temporary, ignore_cleanup_errors=True) as meeting:
            self._start(meeting)
            while (self._followed or self._launching) and not self._is_abandoned():
                with contextlib.suppress(Empty):
                    self._answer(self._inbox.get(timeout=max(0.0, self._look_at - time.monotonic())))
                if time.monotonic() >= self._look_at:
                    self._check()
            self._sweep()
        self._close_readers()
        verdict = self._verdict()
        self._say_outcome(verdict)
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
        queues = [context.Queue(QUEUE_MESSAGES) for _ in range(self.spec.world_size)]
        put = self._inbox.put
        self._launch = Launch(self._worker, assignment, queues, lambda: put(Launched()))
        self._launching = True
        self._started = time.monotonic()
        self._queues = queues
        self._writers: list[Queue[Any]] = queues
        self._lines = [
            RankListener(rank, queue, self._recorder.write, put) for rank, queue in enumerate(queues)
        ]
        self._followed = set(self._watch.ranks)
        for thread in (*self._lines, self._launch):
            thread.start()

    # Messages, handled one at a time.

    def _answer(self, message: Heard | Appeared | Ended | Launched | Request) -> None:
        watch = self._watch
        match message:
            case Heard(rank=rank, events=events):
                self._hear(rank, events)
            case Appeared(rank=rank, pid=pid):
                watch.appear(rank, pid)
                if watch.complete:
                    self._close_writers()
            case Ended(rank=rank, when=when):
                watch.ranks[rank].ended = when
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
                    self._end("failed", 0.0)
            case "stop" | "skip":
                kill(watch.pids, signal.SIGTERM)
                self._end("stopped" if message == "stop" else "skipped", STOP_SECONDS)
            case "hurry":
                self._end("stopped", 0.0)
        if watch.broken:
            self._end("failed", FAIL_SECONDS)

    def _hear(self, rank: int, events: Sequence[RankEvent]) -> None:
        self._watch.hear(rank, events)
        for event in events:
            if isinstance(event, Window | RankMeasured):
                self._measured.apply(event)
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
        for line in self._lines:
            if line.recording:
                self._watch.excuse(line.rank)
        if self._ending is None and (hang := self._watch.hang(_is_halted)) is not None:
            self._hang = hang
            kill(self._watch.pids, signal.SIGUSR1)
            self._end("hung", STACKS_SECONDS)
        if not self._watch.complete and now - self._started > LAUNCH_SECONDS:
            self._launch.error = f"the ranks did not appear within {LAUNCH_SECONDS:.0f} s"
            self._end("failed", 0.0)
        if any(line.rank in self._followed and line.process_is_gone() for line in self._lines):
            self._end_orphans()  # they keep a pipe open in which half a message may be stuck
        if now >= self._kill_at:
            kill(descendants() - self._family)
            self._end_orphans()
            self._look_at = now + SWEEP_SECONDS

    def _is_abandoned(self) -> bool:
        """Whether to stop waiting, for processes that cannot be killed or for a launch no longer wanted."""
        late = time.monotonic() - self._kill_at
        unborn = self._ending == "stopped" and not self._watch.pids
        return late > ABANDON_SECONDS or (unborn and late > 0)

    def _end_orphans(self) -> None:
        left = orphans(self._family)
        kill(left)
        bury(left)

    def _sweep(self) -> None:
        """Kill whatever the ranks have left behind."""
        deadline = time.monotonic() + STOP_SECONDS
        while (left := descendants() - self._family) and time.monotonic() < deadline:
            kill(left)
            self._end_orphans()
            time.sleep(SWEEP_SECONDS)
        if left:
            numbers = ", ".join(map(str, sorted(left)))
            self._recorder.say(f"the processes {numbers} cannot be killed", run=self.spec.id)

    # The outcome.

    def _verdict(self) -> RunFinished:
        at, run = self._recorder.now(), self.spec.id
        match self._ending:
            case "finished":
                return RunFinished(at=at, run=run, outcome="measured")
            case "stopped":
                return RunFinished(at=at, run=run, outcome="stopped", reason="stopped by the user")
            case "skipped":
                return RunFinished(at=at, run=run, outcome="skipped", reason="skipped by the user")
        if self._watch.measured:  # the detail phase failed: what was measured before it stands
            return RunFinished(at=at, run=run, outcome="measured", detail_trouble=self._trouble())
        return RunFinished(at=at, run=run, outcome="failed", failure=self._failure())

    def _trouble(self) -> str:
        """Return why the detail phase failed; empty if the rank that gave up has reported that itself."""
        if self._watch.finished:
            return ""  # the others followed it in time
        if self._hang is None and self._watch.troubled and self._cause().secondary:
            return ""  # it was killed because it waited for the rank that gave up
        failure = self._failure()
        return f"rank {failure.rank}: {failure.message}"

    def _say_outcome(self, verdict: RunFinished) -> None:
        label, throughput = self.spec.label, run_summary(self._measured).throughput
        if verdict.failure is not None:
            self._say(f"{label} failed: {verdict.failure.message}", "error")
        elif verdict.outcome != "measured":
            self._say(f"{label}: {verdict.reason}")
        else:
            ends = (rank.measured for _, rank in sorted(self._measured.ranks.items()))
            reason = next((end.stop_reason for end in ends if end is not None), "")
            if verdict.detail_trouble:
                self._say(f"{label}: the detail phase ended early: {verdict.detail_trouble}", "error")
            figure = "" if throughput is None else rate(throughput)
            self._say(f"{label}: {', '.join(filter(None, (figure, reason)))}")

    def _say(self, text: str, level: Literal["info", "error"] = "info") -> None:
        self._recorder.say(text, level, self.spec.id)

    def _failure(self) -> Failure:
        if (hang := self._hang) is not None:
            log = self._logs[hang.rank]
            return Failure("hung", hang.rank, describe_hang(hang, log), self._name(log))
        if self._launch.error is not None:
            return Failure("launch", None, self._launch.error, self._folder.log.name)
        cause = self._cause()
        return Failure(cause.kind, cause.rank, cause.message, self._name(self._logs[cause.rank]))

    def _cause(self) -> Cause:
        return self._watch.cause(self._recorder.started, self._launch.exits, self._logs, self._kill_at)

    def _name(self, log: Path) -> str:
        # Until a rank has opened its log, its output goes to that of the session process.
        return str((log if log.exists() else self._folder.log).relative_to(self._folder.path))


def _is_halted(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return False
