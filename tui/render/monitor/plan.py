"""The plan as a list: each run with its state and outcome."""

from __future__ import annotations

import textwrap

from textual.content import Content

from ....engine.analysis.results.baseline import speedup_so_far
from ....engine.analysis.results.throughput import run_summary
from ....engine.analysis.results.variables import gain_so_far
from ....engine.plan.plan import Plan, RunSpec
from ....engine.record.session import RunState, Session
from ....engine.text.plain import unbroken
from ....engine.text.units import clock, count, number, rate, ratio
from ..drawing.grid import shortened

RUN_SIGNS = {
    "waiting": ("·", "$muted"),
    "running": ("▶", "$text-accent"),
    "measured": ("✓", "$text-success"),
    "failed": ("✗", "$text-error"),
    "skipped": ("–", "$muted"),
    "stopped": ("■", "$text-warning"),
}
"""Sign before a run in each state, and its style."""
DETAIL_PHASES = ("detail", "communication")
"""Phases after the windows, in which the parts of a step are timed."""


def plan_list(session: Session, width: int) -> Content:
    """Return a line per run: sign, label, and at the right its figures, phase or reason."""
    if not session.runs:
        return Content.styled("waiting for the session to start", "$muted")
    return Content("\n").join([_run_line(session, run, width) for run in session.runs.values()])


def plan_title(session: Session) -> str:
    """Return how many of the runs are done: `2 of 5 runs, 3 skipped`; of a growing plan `2 runs so far`."""
    states = [run.state for run in session.runs.values()]
    skipped = states.count("skipped")
    done = len(states) - skipped - states.count("waiting") - states.count("running")
    grows = session.plan.tune is not None and session.outcome is None
    text = f"{count(done, 'run')} so far" if grows else f"{done} of {len(states) - skipped} runs"
    return f"{text}, {skipped} skipped" if skipped else text


def current_run_line(session: Session) -> int:
    """Return the line of the current run, else of the first that waits, else the last."""
    states = [run.state for run in session.runs.values()]
    for state in ("running", "waiting"):
        if state in states:
            return states.index(state)
    return max(0, len(states) - 1)


def _run_line(session: Session, run: RunState, width: int) -> Content:
    sign, style = RUN_SIGNS[run.state]
    label, room = unbroken(run.spec.label), width - 3
    right, shorter = map(unbroken, _outcome(session, run))
    if len(label) + len(right) > room:
        right = shorter
    if len(label) + len(right) > room:
        # The label identifies the run, so the rest gives way.
        right = shortened(right, max(0, room - len(label)))
        label = shortened(label, room - len(right))
    text_style = style if run.state in ("failed", "skipped", "stopped", "waiting") else ""
    gap = " " * (room - len(label) - len(right) + 1)
    return Content.assemble((f"{sign} ", style), (label, text_style), gap, (right, text_style))


def _outcome(session: Session, run: RunState) -> tuple[str, str]:
    """Return the outcome of the run, and a shorter form of it."""
    text: str = run.state
    if run.state == "running":
        phase = "detail" if run.phase in DETAIL_PHASES else run.phase or "starting"
        since = clock(session.elapsed - (run.started_at or 0.0))
        return f"{phase} {since}", since  # the panel beside the list names the phase too
    if run.state == "measured" and (throughput := run_summary(run).throughput) is not None:
        brought, other = _brought(session, run)
        taken_over = "  taken over" if run.taken_over else ""
        longest = f"{rate(throughput, run.unit)}{brought}{f' {other}' if other else ''}{taken_over}"
        return longest, f"{number(throughput)}/s{brought}{taken_over}"
    if run.state == "failed" and run.failure is not None:
        text = f"failed: {run.failure.kind}"
    elif run.state == "skipped" and run.reason:
        text = f"skipped: {run.reason}"
    return text, text


def _brought(session: Session, run: RunState) -> tuple[str, str]:
    """Return the speedup of a run, or where it is its own baseline the gain of its variable and over what."""
    gain = gain_so_far(session, run) if run.spec.baseline == run.spec.id else None
    if gain is not None:
        return f"{ratio(gain[0]):>7}", gain[1]
    speedup = speedup_so_far(session, run)
    return "" if speedup is None else f"{ratio(speedup):>7}", ""


def planned_runs(plan: Plan, width: int) -> Content:
    """Return the plan before it is started: the runs, then those skipped, by reason."""
    lines = [
        Content.assemble((f"{number:>2} ", "$muted"), spec.label, (_detail(spec), "$muted"))
        for number, spec in enumerate(plan.to_run, start=1)
    ]
    for reason, labels in plan.skipped.items():
        lines += _wrapped(f"{RUN_SIGNS['skipped'][0]} {'; '.join(labels)}", width, "$text-warning")
        lines += _wrapped(f"  skipped: {reason}", width, "$muted")
    return Content("\n").join(lines)


def _wrapped(text: str, width: int, style: str) -> list[Content]:
    """Return the text in lines of at most `width` cells, indented like the labels of the runs."""
    lines = textwrap.wrap(text, max(20, width), initial_indent=" ", subsequent_indent="   ")
    return [Content.styled(line, style) for line in lines]


def _detail(spec: RunSpec) -> str:
    if spec.mode == "concurrent":
        return ""
    if spec.device_count == 1:
        batch = f"batch {spec.global_batch}"
        return "" if batch in spec.label else f"  {batch}"
    passes = f" x {spec.workload.accumulate}" if spec.workload.accumulate > 1 else ""
    return f"  batch {spec.device_count} x {spec.batch_per_device()}{passes} = {spec.global_batch}"
