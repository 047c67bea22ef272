"""The current run: its phase, figures, precision and progress."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from ....engine.analysis.results.baseline import speedup_so_far
from ....engine.analysis.results.throughput import Summary, run_summary, summarise
from ....engine.analysis.time_left import overdue_stage, run_seconds_left, share_done
from ....engine.record.events import Evaluation
from ....engine.record.session import RunState, Session
from ....engine.record.silence import TRAINING, allowed_silence, first_step
from ....engine.statistics import FEWEST
from ....engine.text.units import SAMPLES, clock, count, duration, number, percent, rate, ratio
from ..drawing.bars import block_cell, filled_bar
from .plan import DETAIL_PHASES

PHASE_TEXTS = {
    "": "starting processes",
    "starting": "starting processes",
    "warming up": "warming up until step time is stable",
    "detail": "detail: timing the parts of a step",
    "communication": "detail: timing communication",
}
"""Descriptions of the phases whose name is not enough."""
SILENCE_SECONDS = 5.0
"""Silence of a rank after which the user is told; ranks report their steps ten times a second."""
MEANINGLESS = 1.0
"""Half of an interval, as a share of the throughput, from which it says nothing."""
LEAST_BAR = 4
"""Cells of a bar at least; what does not fit beside it is left out."""
MOST_EPOCHS = 20
"""Most epochs shown in the accuracy bar."""


def current_run(session: Session, width: int, most_left: float | None = None) -> Content:
    """Return five lines on the current run: phase, throughput, precision, newest step and progress.

    `most_left`: seconds that the session is said to take; the run is said to take no longer. None if unknown.
    """
    if session.current is None:
        return _between_runs(session)
    run = session.runs[session.current]
    lines = [
        _phase(run),
        _measured(session, run),
        _accuracy(run) if run.spec.measure.epochs else _precision(run, width),
        _newest(run, session.elapsed),
        _progress(session, run, width, most_left),
    ]
    return Content("\n").join([line.truncate(width, ellipsis=True) for line in lines])


def _between_runs(session: Session) -> Content:
    if not session.started:
        return Content.styled("session not started yet", "$muted")
    if session.outcome is None:
        return Content.styled("between runs", "$muted")
    how = f"{session.outcome}: {session.reason}" if session.reason else session.outcome
    return Content.styled(f"session {how}; press t for the results", "$muted")


def _phase(run: RunState) -> Content:
    measure = run.spec.measure
    text = PHASE_TEXTS.get(run.phase, run.phase)
    if run.phase in ("measuring", "evaluating") and measure.epochs and run.epoch is not None:
        text += f" epoch {run.epoch} of {measure.epochs}"
    if run.phase == "measuring":
        window = len(run.complete_windows) + 1
        text += f": window {window}"
        if not measure.epochs and window <= measure.windows:
            text += f" of at least {measure.windows}"
    if run.note and run.phase in DETAIL_PHASES:
        text = f"detail: {run.note}"
    elif run.note:
        text = f"{run.phase}: {run.note}"
    missing = run.spec.world_size - len(run.ranks)
    if missing and run.ranks:
        text += f", waiting for {missing} of {run.spec.world_size} ranks"
    return Content.styled(text, "bold")


def _measured(session: Session, run: RunState) -> Content:
    summary = run_summary(run)
    if not run.complete_windows:
        return Content.styled("no window measured yet", "$muted")
    if summary.throughput is None:
        # Different workloads side by side have no common rate, so each shows its own.
        parts = [
            f"{run.spec.workload_of(number).name} "
            + rate(summarise(rank.windows).throughput, rank.unit or SAMPLES)
            for number, rank in sorted(run.ranks.items())
        ]
        return Content(", ".join(parts))
    figures: list[Content] = [Content.styled(rate(summary.throughput, run.unit), "$text-primary")]
    if run.spec.measure.epochs and (half := _half(summary)) is not None:
        figures.append(Content(f" ±{percent(half)}"))
    speedup, baseline = speedup_so_far(session, run), session.runs.get(run.spec.baseline or "")
    if speedup is not None and baseline is not None and baseline is not run:
        figures.append(Content(f", {ratio(speedup)} {baseline.spec.label}"))
    return Content("").join(figures)


def _half(summary: Summary) -> float | None:
    """Return half the 95% interval as a share of the throughput; None until it says something."""
    if summary.interval is None or not summary.throughput:
        return None
    low, high = summary.interval
    half = (high - low) / 2 / summary.throughput
    return half if half < MEANINGLESS else None


def _precision(run: RunState, width: int) -> Content:
    target, half = run.spec.measure.target, _half(run_summary(run))
    goal = f", goal ±{percent(target)}" if target else ""
    if half is None:
        known = "not yet known" if len(run.complete_windows) >= FEWEST else f"after {FEWEST} windows"
        return Content.styled(f"precision {known}{goal}", "$muted")
    text = f"precision ±{percent(half)}{goal} "
    if not target:
        return Content(text)
    # The interval shrinks with the square root of the number of windows.
    share = min(1.0, (target / half) ** 2) if half else 1.0
    style = "$success" if half <= target else "$accent"
    return Content.assemble(text, (filled_bar(share, max(LEAST_BAR, min(30, width - len(text)))), style))


def _newest(run: RunState, now: float) -> Content:
    if (waiting := first_step(run, now)) is not None and waiting.seconds >= 1:
        style = "$text-warning" if waiting.seconds > SILENCE_SECONDS else "$muted"
        return Content.styled(str(waiting), style)
    heard = [(rank.last_at, number) for number, rank in run.ranks.items() if rank.last_at is not None]
    last, number_heard = min(heard, default=(now, 0))
    if run.phase in TRAINING and now - last > SILENCE_SECONDS:
        limit = f"given up at {clock(allowed_silence(run, number_heard, run.ranks[number_heard]))}"
        return Content.styled(f"no step reported by a rank for {clock(now - last)}; {limit}", "$text-warning")
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
        parts.append(f"metrics of {count(lost, 'step')} lost")
    return Content.styled(", ".join(parts), "$muted")


def _accuracy(run: RunState) -> Content:
    evaluations = [list(ofrank) for _, ofrank in sorted(run.evaluations.items()) if ofrank]
    if not evaluations:
        return Content.styled("test accuracy: after the first epoch", "$muted")
    if run.spec.mode != "concurrent":
        evaluations = evaluations[:1]
    return Content(", ".join(map(_learnt, evaluations)))


def _learnt(evaluations: Sequence[Evaluation]) -> str:
    """Write the accuracy after each epoch as a bar, or the last loss of a training without accuracy."""
    scores = [one.test_accuracy for one in evaluations if one.test_accuracy is not None]
    if not scores:
        return f"test loss {number(evaluations[-1].test_loss)}"
    return f"test accuracy {percent(scores[-1])} " + "".join(map(block_cell, scores[-MOST_EPOCHS:]))


def _progress(session: Session, run: RunState, width: int, most_left: float | None) -> Content:
    share, left = share_done(session, run), run_seconds_left(session, run)
    if share is None or left is None:
        return Content.styled("time left: known after the first step", "$muted")
    if most_left is not None:
        left = min(left, most_left)
    late = overdue_stage(session, run)
    text = f" {share:4.0%} about {clock(max(1.0, left))} left"
    reason = f", {late} takes longer" if late else ""
    text += reason if len(text) + len(reason) + LEAST_BAR <= width else ""
    return Content.assemble(
        (filled_bar(share, max(LEAST_BAR, min(30, width - len(text)))), "$primary"), (text, "$muted")
    )
