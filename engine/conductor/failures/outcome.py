"""The outcome of a run: its verdict, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ...analysis.results.throughput import run_summary
from ...record.events import Failure, RunFinished
from ...record.run import RunState
from ...record.session_folder import SessionFolder
from ...text.units import rate
from .blame import Cause, Ends, cause_of_failure, cause_of_silence
from .evidence import Observations
from .watchdog import RunWatch, Silence

Ending = Literal["finished", "failed", "hung", "stopped", "skipped"]


class Aftermath(Struct, frozen=True, kw_only=True):
    """All that is known of a run once its last process has ended."""

    ending: Ending | None
    watch: RunWatch
    evidence: Observations
    ends: Ends
    silence: Silence | None
    """Silence that the ranks were killed for, if they hung."""
    loss: str
    """Loss of the fork server, one sentence; empty if there was none."""
    launch_error: str | None
    """Reason that the ranks could not be started, one sentence."""
    folder: SessionFolder
    logs: Sequence[Path]
    """Log files by rank."""
    started: float
    """`time.monotonic()` when the session started."""

    def verdict(self, at: float) -> RunFinished:
        """Return the event that ends the run."""
        run = self.watch.spec.id
        match self.ending:
            case "finished":
                return RunFinished(at=at, run=run, outcome="measured")
            case "stopped":
                return RunFinished(at=at, run=run, outcome="stopped", reason="stopped by the user")
            case "skipped":
                return RunFinished(at=at, run=run, outcome="skipped", reason="skipped by the user")
        if self.watch.measured:  # the detail phase failed: what was measured before it stands
            return RunFinished(at=at, run=run, outcome="measured", detail_trouble=self._trouble())
        return RunFinished(at=at, run=run, outcome="failed", failure=self._failure())

    def _trouble(self) -> str:
        """Return why the detail phase failed; empty if the rank that gave up has reported that itself."""
        if self.watch.finished:
            return ""  # the others followed it in time
        if self.silence is None and not self.loss and self.watch.troubled and self._cause().secondary:
            return ""  # it was killed because it waited for the rank that gave up
        failure = self._failure()
        return failure.message if failure.rank is None else f"rank {failure.rank}: {failure.message}"

    def _failure(self) -> Failure:
        log = self.folder.log.name
        if self.loss:
            return Failure("killed", None, self.loss, log)
        if self.silence is None and self.launch_error is not None:
            return Failure("launch", None, self.launch_error, log)
        cause = self._cause()
        return Failure(cause.kind, cause.rank, cause.sentence, self._name(self.logs[cause.ranks[0]]))

    def _cause(self) -> Cause:
        if self.silence is not None:
            return cause_of_silence(self.watch, self.silence, self.evidence, self.started)
        return cause_of_failure(self.watch, self.ends, self.evidence, self.logs, self.started)

    def _name(self, log: Path) -> str:
        # Until a rank has opened its log, its output goes to that of the session process.
        return str((log if log.exists() else self.folder.log).relative_to(self.folder.path))


def described_outcome(verdict: RunFinished, measured: RunState) -> list[tuple[Literal["info", "error"], str]]:
    """Return what to say of a run that has ended, with the level of each sentence."""
    label = measured.spec.label
    if verdict.failure is not None:
        return [("error", f"{label} failed: {verdict.failure.message}")]
    if verdict.outcome != "measured":
        return [("info", f"{label}: {verdict.reason}")]
    throughput = run_summary(measured).throughput
    figure = "" if throughput is None else rate(throughput, measured.unit)
    said: list[tuple[Literal["info", "error"], str]] = []
    if verdict.detail_trouble:
        said.append(("error", f"{label}: the detail phase ended early: {verdict.detail_trouble}"))
    return [*said, ("info", f"{label}: {', '.join(filter(None, (figure, measured.stop_reason)))}")]
