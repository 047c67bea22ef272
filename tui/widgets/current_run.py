"""What the measurement is doing right now, and how sure it is."""

from __future__ import annotations

from textual.content import Content

from ...engine.analysis.summary import Summary, run_summary, summarise
from ...engine.analysis.units import clock, duration, number, percent, rate
from ...engine.record.events import Evaluation
from ...engine.record.session import RunState, Session
from ..time_left import run_seconds_left
from .gpu_strip import bar

TRAINING = ("warming up", "measuring")
AFTERWARDS = {
    "detail": "windows done; finding out where a step goes",
    "communication": "windows done; finding out what communication costs",
}
"""What the phases after the windows do."""
SILENCE_SECONDS = 5.0
"""Ranks report their steps ten times a second."""


def current_run(session: Session, width: int) -> Content:
    """The run that is on: its phase, its windows and their interval, loss, and progress."""
    if session.current is None:
        return Content.styled(_between_runs(session), "$muted")
    run = session.runs[session.current]
    now = session.elapsed
    lines = [_phase(run), _measured(run), _newest(run, now), *_accuracy(run), _progress(run, now, width)]
    return Content("\n").join(lines)


def _between_runs(session: Session) -> str:
    if not session.started:
        return "starting the session"
    if session.outcome is not None:
        return f"the session has {'finished' if session.outcome == 'finished' else 'been stopped'}"
    return "between two runs"


def _phase(run: RunState) -> Content:
    epochs = run.spec.measure.epochs
    if run.phase in AFTERWARDS:
        note = f" ({run.note})" if run.note else ""
        return Content.assemble((run.phase, "bold"), f": {AFTERWARDS[run.phase]}", (note, "$muted"))
    text = run.note or run.phase or "starting"
    if epochs and run.epoch is not None:
        text += f", epoch {run.epoch} of {epochs}"
    missing = run.spec.world_size - len(run.ranks)
    if missing:
        text += f", waiting for {missing} of {run.spec.world_size} ranks"
    return Content.styled(text, "bold")


def _measured(run: RunState) -> Content:
    summary = run_summary(run)
    if not run.complete_windows:
        return Content.styled("no window measured yet", "$muted")
    if summary.throughput is None:
        # Different workloads side by side have no common rate: each has its own.
        parts = [
            f"{run.spec.workload_of(number).name} {rate(summarise(rank.windows).throughput)}"
            for number, rank in sorted(run.ranks.items())
        ]
        return Content(f"window {summary.windows}: {', '.join(parts)}")
    return Content.assemble(
        f"window {summary.windows}: ",
        (f"{number(summary.throughput)}/s", "$text-primary"),
        _sureness(run, summary),
    )


def _sureness(run: RunState, summary: Summary) -> str:
    if summary.interval is None or summary.throughput is None:
        return ""
    low, high = summary.interval
    text = f" ±{percent((high - low) / 2 / summary.throughput)}"
    target = run.spec.measure.target
    return f"{text} (to {percent(target)})" if target and not run.spec.measure.epochs else text


def _newest(run: RunState, now: float) -> Content:
    heard = [rank.last_at for rank in run.ranks.values() if rank.last_at is not None]
    if heard and run.phase in TRAINING and now - min(heard) > SILENCE_SECONDS:
        limit = f"{run.spec.measure.hang_seconds:.0f} s count as hung"
        return Content.styled(f"a rank is silent for {clock(now - min(heard))}; {limit}", "$text-warning")
    parts = []
    steps = [rank.step_seconds.last for rank in run.ranks.values() if rank.step_seconds.last is not None]
    if steps:
        parts.append(f"step {duration(max(steps))}")
    if run.loss.last is not None:
        parts.append(f"loss {number(run.loss.last)}")
    if run.learning_rate is not None:
        parts.append(f"lr {run.learning_rate:.3g}")
    lost = sum(rank.lost_steps for rank in run.ranks.values())
    if lost:
        parts.append(f"metrics of {lost} steps lost")
    return Content.styled(", ".join(parts), "$muted")


def _accuracy(run: RunState) -> list[Content]:
    newest: list[Evaluation] = [ofrank[-1] for _, ofrank in sorted(run.evaluations.items()) if ofrank]
    if not newest:
        return []
    if run.spec.mode != "concurrent":
        newest = newest[:1]
    texts = [f"epoch {one.epoch}: test accuracy {percent(one.test_accuracy)}" for one in newest]
    return [Content(", ".join(texts))]


def _progress(run: RunState, now: float, width: int) -> Content:
    progress = run.progress
    if progress is None:
        return Content("")
    left = run_seconds_left(run, now)
    text = f" {progress:4.0%}"
    if left is not None and run.phase not in AFTERWARDS:
        at_most = "at most " if run.spec.measure.target and not run.spec.measure.epochs else "about "
        text += f" {at_most}{clock(left)} left"
    return Content.assemble((bar(progress, max(4, min(30, width - len(text)))), "$primary"), (text, "$muted"))
