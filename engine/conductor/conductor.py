"""Execution of a session: its plan, run by run, with every event written to the journal."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path
from types import FrameType

from msgspec.structs import replace

from ..host.facts import CpuSample, GpuSample
from ..host.process import print_error
from ..host.shortage import shortage, with_remedy
from ..plan.needs import cache_folder
from ..plan.plan import RunSpec
from ..record.events import (
    SAME_WAY,
    Failure,
    RunFinished,
    RunsAdded,
    RunStarted,
    Sampled,
    SessionFinished,
    SessionOutcome,
)
from ..record.exit_status import MEASURED, RUN_FAILED, STOPPED
from ..record.journal import Journal
from ..record.paces import pace_key, remember_pace, shown_pace
from ..record.run import RunState
from ..record.session_folder import SessionFolder
from ..text.plain import described
from .failures.alike import LikeFailures
from .growth import runs_that_follow
from .processes.caches import keep_caches_private, keep_temporary_private
from .processes.fork_server import end_fork_server, start_fork_server
from .processes.own_network import ask_for_own_network
from .processes.parentage import adopt_orphans
from .processes.temporary import is_whole, reopen_temporary, was_deleted
from .rank_logs import RankLogs
from .recorder import Recorder, session_started, take_over
from .run_execution import RunExecution
from .sampling import Sampling, cores_of
from .tuned_preset import SETTINGS_IN, keep_settings

WORKER = "gpubench_tui.engine.training.worker:work"

REQUESTS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Signals that ask a session to stop or to skip a run."""


def conduct(folder: SessionFolder, temporary: Path, worker: str = WORKER) -> int:
    """Execute the session's plan in the main thread of this process and return the exit status.

    `temporary` is a folder for files that are not kept; each rank runs `worker`, "module:function". Raises
    OSError or msgspec.DecodeError when the plan cannot be read or the journal cannot be created.
    """
    return Conductor(folder, temporary, worker).conduct()


class Conductor:
    """Executes the runs of a plan one by one, and those by which a tune's plan grows.

    SIGTERM and SIGINT stop it, SIGUSR1 skips the current run.
    """

    def __init__(self, folder: SessionFolder, temporary: Path, worker: str) -> None:
        self._folder = folder
        self._temporary = temporary
        self._worker = worker
        self._request = folder.request()
        self._journal = Journal(folder.journal)
        self._logs = RankLogs(folder)
        self._recorder = Recorder(
            *(self._journal, time.monotonic(), self._give_up),
            make_room=self._logs.make_room,
            give_reserve=folder.give_reserve,
        )
        self._run: RunExecution | None = None
        self._done: set[str] = set()
        """Ids of the runs that were taken over."""
        self._stops = 0
        self._failed = False
        self._failures = LikeFailures()
        self._foretold: set[str] = set()
        """Failures that runs were skipped for."""

    def conduct(self) -> int:
        """Execute the plan and write the whole journal; return the exit status."""
        reason = ""
        try:
            self._start()
            sampling = Sampling(self._request.host.gpus, self._cores, self._sampled, self._recorder.say)
            sampling.start()
            more = self._request.plan.runs
            while more:
                for spec in more:
                    self._take(spec)
                more = self._grow()
            sampling.close()
            self._keep_settings()
        except Exception as error:  # whatever it is, it must be said where the session is looked at
            print_error()
            reason = with_remedy(described(error))
        return self._end(self._recorder.trouble or reason)

    def _end(self, reason: str) -> int:
        """Write the end of the journal, and what interrupted the session; return the exit status."""
        recorder = self._recorder
        outcome: SessionOutcome = "interrupted" if reason else "stopped" if self._stops else "finished"
        if reason:
            print(f"The session ended because {reason}", file=sys.stderr, flush=True)
        recorder.write(SessionFinished(at=recorder.now(), outcome=outcome, reason=reason))
        self._journal.close()
        self._folder.give_reserve()
        if reason:
            return RUN_FAILED
        return STOPPED if self._stops else RUN_FAILED if self._failed else MEASURED

    def _start(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_skip)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, REQUESTS)
        adopt_orphans()
        self._recorder.write(session_started(self._folder, self._request))
        for event in take_over(self._folder, self._recorder.write):
            if isinstance(event, RunFinished):
                self._done.add(event.run)
                self._failures.add(self._request.plan.run(event.run), event)
        if self._request.plan.to_run:
            self._prepare_folders()
            ask_for_own_network(self._request.plan, os.environ)
            start_fork_server()

    def _grow(self) -> tuple[RunSpec, ...]:
        """Add the runs to the plan with which a tune goes on, and return them; none in other sessions."""
        if self._request.plan.tune is None or self._stops or self._recorder.error:
            return ()
        more = runs_that_follow(self._folder)
        if more and not self._stops:
            self._recorder.write(RunsAdded(at=self._recorder.now(), runs=more))
            return more
        return ()

    def _keep_settings(self) -> None:
        """Keep the settings that a tune has found as a preset, also if it was stopped, and say where."""
        recorder = self._recorder
        if self._request.plan.tune is None or recorder.error:
            return
        try:
            path = keep_settings(self._folder, "stopped" if self._stops else "finished")
        except OSError as error:
            recorder.say(f"the settings found cannot be kept as a preset: {shortage(error)}")
            return
        if path is not None:
            recorder.say(f"{SETTINGS_IN}{path}: gpubench-tui run {path.stem}", "info")

    def _prepare_folders(self) -> None:
        for sentence in (
            *keep_caches_private(cache_folder(), self._temporary, os.environ),
            *keep_temporary_private(self._temporary, os.environ),
        ):
            self._recorder.say(sentence)

    def _keep_temporary(self) -> Path:
        """Return the folder for temporary files, or another if it was deleted. Raises OSError."""
        if not is_whole(self._temporary):
            end_fork_server()
            deleted, self._temporary = self._temporary, reopen_temporary(self._temporary)
            self._prepare_folders()
            self._recorder.say(f"{was_deleted(deleted)}: {self._temporary} is used instead")
        return self._temporary

    def _take(self, spec: RunSpec) -> None:
        recorder = self._recorder
        if spec.id in self._done:
            return
        if spec.skip is not None:
            recorder.write(RunFinished(at=recorder.now(), run=spec.id, outcome="skipped", reason=spec.skip))
            return
        self._run = RunExecution(spec, self._folder, self._keep_temporary, recorder, self._worker, self._logs)
        if self._stops or recorder.error:
            reason = "the session ended before this run began"
            recorder.write(RunFinished(at=recorder.now(), run=spec.id, outcome="stopped", reason=reason))
            return
        if self._would_fail(spec):
            return
        started = RunStarted(at=recorder.now(), run=spec.id)
        recorder.write(started)
        finished = self._carry_out(self._run)
        recorder.write(finished)
        if finished.outcome == "measured":
            self._remember(self._run.measured, started.at, finished.at)
        self._failures.add(spec, finished)
        self._failed |= finished.outcome == "failed" and not self._request.plan.may_fail(spec)
        self._run = None

    def _remember(self, run: RunState, began: float, ended: float) -> None:
        """Remember how long the parts of a measured run take, for the estimates of sessions to come."""
        pace = shown_pace(run, began, ended)
        if pace is not None:
            key = pace_key(run.spec, self._request.host)
            remember_pace(self._folder.path.parent, key, pace)

    def _would_fail(self, spec: RunSpec) -> bool:
        """Skip a run that would fail the same way as two before it; return whether it was."""
        foretold = self._failures.foretell(spec)
        if foretold is None:
            return False
        reason = f"{SAME_WAY}: {foretold.message}"
        if foretold.message not in self._foretold:
            self._foretold.add(foretold.message)
            self._recorder.say(reason, "error")
        finished = RunFinished(at=self._recorder.now(), run=spec.id, outcome="skipped", reason=reason)
        self._recorder.write(finished)
        self._run = None
        return True

    def _carry_out(self, run: RunExecution) -> RunFinished:
        try:
            finished = run.run()
        except OSError as error:  # no file handle, process or space left: the next run may succeed
            why = f"the ranks could not be started: {with_remedy(str(error))}"
            failure = Failure("launch", None, why, self._folder.log.name)
            at = self._recorder.now()
            return RunFinished(at=at, run=run.spec.id, outcome="failed", failure=failure)
        if finished.outcome == "stopped" and self._recorder.error is not None:
            return replace(finished, reason="the session was interrupted")
        return finished

    def _cores(self) -> Collection[int]:
        """Return the logical CPUs of the ranks of the current run; empty between runs."""
        run = self._run
        return frozenset() if run is None else cores_of(run.spec)

    def _sampled(self, gpus: list[GpuSample], cpu: CpuSample) -> None:
        self._recorder.write(Sampled(at=self._recorder.now(), gpus=gpus, cpu=cpu))

    # Requests from outside: signals, or a failure to write the journal in any thread.

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stops += 1
        if self._run is not None:
            self._run.ask("stop" if self._stops == 1 else "hurry")

    def _on_skip(self, _number: int, _frame: FrameType | None) -> None:
        if self._run is not None:
            self._run.ask("skip")

    def _give_up(self) -> None:
        if (run := self._run) is not None:
            run.ask("hurry")
