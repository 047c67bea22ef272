"""Execution of a session: its plan, run by run, with every event written to the journal."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path
from types import FrameType
from typing import Literal

from ..host.facts import CpuSample, GpuSample
from ..plan.needs import cache_folder
from ..plan.plan import RunSpec
from ..record.events import Failure, RunFinished, RunStarted, Sampled, SessionFinished
from ..record.exit_status import MEASURED, RUN_FAILED, STOPPED
from ..record.journal import Journal
from ..record.shelf import SessionFolder
from .processes.caches import keep_caches_private, keep_temporary_private
from .processes.fork_server import start_fork_server
from .processes.parentage import adopt_orphans
from .recorder import Recorder, session_started
from .run_execution import RunExecution
from .sampling import Sampling, cores_of

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
    """Executes the runs of a plan one by one. SIGTERM and SIGINT stop it, SIGUSR1 skips the current run."""

    def __init__(self, folder: SessionFolder, temporary: Path, worker: str) -> None:
        self._folder = folder
        self._temporary = temporary
        self._worker = worker
        self._request = folder.request()
        self._journal = Journal(folder.journal)
        self._recorder = Recorder(self._journal, time.monotonic(), self._give_up)
        self._run: RunExecution | None = None
        self._stops = 0
        self._failed = False

    def conduct(self) -> int:
        """Execute the plan and write the whole journal; return the exit status."""
        self._start()
        sampling = Sampling(self._request.host.gpus, self._cores, self._sampled, self._recorder.say)
        sampling.start()
        for spec in self._request.plan.runs:
            self._take(spec)
        sampling.close()
        outcome: Literal["finished", "stopped"] = "stopped" if self._stops else "finished"
        self._recorder.write(SessionFinished(at=self._recorder.now(), outcome=outcome))
        self._journal.close()
        return self._status()

    def _start(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_skip)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, REQUESTS)
        adopt_orphans()
        self._recorder.write(session_started(self._folder, self._request))
        if self._request.plan.to_run:
            self._prepare_folders()
            start_fork_server()

    def _prepare_folders(self) -> None:
        for sentence in (
            *keep_caches_private(cache_folder(), self._temporary, os.environ),
            *keep_temporary_private(self._temporary, os.environ),
        ):
            self._recorder.say(sentence)

    def _take(self, spec: RunSpec) -> None:
        recorder = self._recorder
        if spec.skip is not None:
            recorder.write(RunFinished(at=recorder.now(), run=spec.id, outcome="skipped", reason=spec.skip))
            return
        self._run = RunExecution(spec, self._folder, self._temporary, recorder, self._worker)
        if self._stops or recorder.error:
            reason = "the session ended before this run began"
            recorder.write(RunFinished(at=recorder.now(), run=spec.id, outcome="stopped", reason=reason))
            return
        recorder.write(RunStarted(at=recorder.now(), run=spec.id))
        finished = self._carry_out(self._run)
        recorder.write(finished)
        self._failed |= finished.outcome == "failed"
        self._run = None

    def _carry_out(self, run: RunExecution) -> RunFinished:
        try:
            return run.run()
        except OSError as error:  # no file handle, process or space left: the next run may succeed
            failure = Failure(
                "launch", None, f"the ranks could not be started: {error}", self._folder.log.name
            )
            at = self._recorder.now()
            return RunFinished(at=at, run=run.spec.id, outcome="failed", failure=failure)

    def _status(self) -> int:
        if (error := self._recorder.error) is not None:
            print(
                f"The session ended because its journal cannot be written: {error}",
                file=sys.stderr,
                flush=True,
            )
            return RUN_FAILED
        return STOPPED if self._stops else RUN_FAILED if self._failed else MEASURED

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
