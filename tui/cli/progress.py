"""Progress of a session without the app: lines on standard error, results on standard output."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ...engine.analysis.analysis import analyse
from ...engine.analysis.environment import devices
from ...engine.analysis.report.columns import remarks
from ...engine.analysis.report.terminal import session_text
from ...engine.analysis.results.result import result_of
from ...engine.conductor.control import stop_session
from ...engine.plan.estimate import estimate
from ...engine.plan.plan import Plan, RunSpec
from ...engine.record.events import (
    SAME_WAY,
    Evaluation,
    Event,
    LogMessage,
    PhaseChanged,
    RunFinished,
    Sampled,
    SessionFinished,
    SessionStarted,
    Window,
)
from ...engine.record.exit_status import MEASURED, exit_status
from ...engine.record.journal import Follower
from ...engine.record.session import RunState, Session
from ...engine.record.session_folder import SessionFolder
from ...engine.record.silence import first_step
from ...engine.text.units import clock, count, loss_unit, percent, rate
from ..data.log_tail import last_words
from .interrupts import POLL_SECONDS, held_interrupts

if TYPE_CHECKING:
    from .tuning_lines import TuningLines

FIRST_STEP_SECONDS = 10.0
"""Wait for the first step from which on it is told, and the time between two lines about it."""
WINDOW_LINE_SECONDS = 2.0
"""Minimum time between two lines about windows; the journal has every window."""


def follow(
    folder: SessionFolder, start: Callable[[SessionFolder], subprocess.Popen[bytes]] | None = None
) -> int:
    """Print progress until the session ends, then its results; return the exit status.

    `start` starts a session that does not run yet. Ctrl+C and SIGTERM stop a session started here, and leave
    one running that was only attached to.
    """
    session, progress = Session(folder.name), ProgressLines()
    follower = Follower(folder.journal)
    with held_interrupts() as interrupts:
        _print_line(f"session {folder.name} in {folder.path}")
        process = start(folder) if start is not None else None
        while session.outcome is None:
            if interrupts and process is None:
                _print_line(f"the session continues; gpubench-tui attach {folder.name} returns to it")
                return MEASURED
            # A session that has only just started cannot be stopped yet; the next round tries again.
            if interrupts and stop_session(folder):
                _print_line("stopping; measurements so far are kept")
                interrupts.pop()
            # Checked before reading, so that the last events of a session that has ended are still read.
            alive = folder.goes_on() or (process is not None and process.poll() is None)
            for event in follower.read():
                session.apply(event)
                for line in progress.of_event(event, session):
                    _print_line(line)
            session.unreadable = follower.unreadable
            if session.outcome is None and not alive:
                _print_line(f"the session process ended unexpectedly: {last_words(folder.log)}")
                break
            time.sleep(POLL_SECONDS)
    print_results(session)
    return exit_status(session)


class ProgressLines:
    """Turns events into readable lines of progress."""

    def __init__(self) -> None:
        self._phases: dict[str, str] = {}
        self._window_line_at = 0.0
        self._wait_line_at = 0.0
        self._tuning: TuningLines | None = None

    def of_event(self, event: Event, session: Session) -> Iterator[str]:
        """Yield the lines to print for an event that the session has just applied."""
        run = getattr(event, "run", None)
        if run is not None and run not in session.runs:
            return  # its plan could not be read
        if run is not None and (earlier := session.runs[run].taken_over):
            if isinstance(event, RunFinished):
                yield f"{session.runs[run].spec.label}: taken over from {earlier}"
            return
        yield from self._of_session(event)
        if session.plan.tune is not None:
            yield from self._of_tune(event, session)
        if run is not None and session.plan.tune is not None and not _is_start(session.runs[run].spec):
            return  # its attempt says what it has shown
        match event:
            case PhaseChanged(rank=0):
                yield from self._phase(event, session.runs[event.run])
            case Sampled() if session.current is not None:
                yield from self._wait(event.at, session.runs[session.current])
            case Window(rank=0):
                yield from self._window(event, session.runs[event.run])
            case Evaluation():
                yield self._evaluation(event, session.runs[event.run])
            case RunFinished() if session.runs[event.run].spec.skip is None:
                yield self._finished(event, session)

    def _of_tune(self, event: Event, session: Session) -> Iterator[str]:
        """Yield what an event says of the course of a tune."""
        if self._tuning is None:
            from .tuning_lines import TuningLines  # late: no other session needs it

            self._tuning = TuningLines()
        yield from (_timed(event.at, line) for line in self._tuning.of_event(event, session))

    def _of_session(self, event: Event) -> Iterator[str]:
        match event:
            case SessionStarted():
                yield _overview(event.plan)
                for spec in event.plan.runs:
                    if spec.skip is not None:
                        yield f"{spec.label}: skipped: {spec.skip}"
            case SessionFinished(outcome="interrupted"):
                yield f"the session was interrupted: {event.reason}"
            case LogMessage() if event.run is None or event.level == "warning":
                yield f"{event.level}: {event.text}" if event.level != "info" else event.text

    def _phase(self, event: PhaseChanged, run: RunState) -> Iterator[str]:
        text = event.note or event.phase
        if event.epoch is not None:
            text += f" (epoch {event.epoch} of {run.spec.measure.epochs})"
        if self._phases.get(event.run) != text and event.phase != "finishing":
            self._phases[event.run] = text
            yield _timed(event.at, f"{run.spec.label}: {text}")

    def _wait(self, now: float, run: RunState) -> Iterator[str]:
        waiting = first_step(run, now)
        since_line = now - self._wait_line_at
        if waiting is not None and min(waiting.seconds, since_line) >= FIRST_STEP_SECONDS:
            self._wait_line_at = now
            yield _timed(now, f"{run.spec.label}: {waiting}")

    def _window(self, event: Window, run: RunState) -> Iterator[str]:
        done = run.complete_windows
        if not done or event.at - self._window_line_at < WINDOW_LINE_SECONDS:
            return
        self._window_line_at = event.at
        yield _timed(event.at, f"{run.spec.label}: window {len(done)}: {rate(done[-1].throughput, run.unit)}")

    def _evaluation(self, event: Evaluation, run: RunState) -> str:
        workload = f" {run.spec.workload_of(event.rank).name}" if run.spec.mode == "concurrent" else ""
        known = event.test_accuracy is not None
        accuracy = f"test accuracy {percent(event.test_accuracy)}, " if known else ""
        loss = "n/a" if event.test_loss is None else f"{event.test_loss:.3f}"
        return _timed(
            event.at,
            f"{run.spec.label}:{workload} epoch {event.epoch} of {run.spec.measure.epochs}: "
            f"{accuracy}test loss {loss} {loss_unit(run.unit)}".rstrip(),
        )

    def _finished(self, event: RunFinished, session: Session) -> str:
        result = result_of(session, event.run)
        reasons = remarks(result)
        if event.outcome == "measured":
            text = "measured"
            if result.throughput is not None:
                how = f"median of {result.windows} windows; {result.stop_reason}"
                text += f" {rate(result.throughput, result.unit)} ({how})"
        elif event.reason.startswith(SAME_WAY):  # which a message has said before
            text = event.outcome
        else:
            text = reasons[0] if reasons else event.outcome
        return _timed(event.at, f"{result.label}: {text}")


def _is_start(spec: RunSpec) -> bool:
    return spec.attempt is None or spec.attempt.purpose == "start"


def _overview(plan: Plan) -> str:
    skipped = len(plan.runs) - len(plan.to_run)
    runs = count(len(plan.to_run), "run") + (f", {skipped} skipped," if skipped else "")
    return f"{runs} on {devices(plan)}, {estimate(plan)}"


def print_results(session: Session) -> None:
    """Write the table, the headline and the diagnoses to standard output."""
    if session.started:
        width = shutil.get_terminal_size((100, 24)).columns
        print(session_text(analyse(session), width))
        sys.stdout.flush()


def _timed(at: float, text: str) -> str:
    return f"[{clock(at)}] {text}"


def _print_line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
