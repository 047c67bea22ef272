"""Tunes on a made-up machine, as the events that would have recorded them: each run has a given rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gpubench_tui.engine.analysis.diagnosis.case import Diagnosis
from gpubench_tui.engine.analysis.tuning.next_runs import next_runs
from gpubench_tui.engine.plan.plan import Plan, RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.remedy import Cost, Remedy, Tune
from gpubench_tui.engine.plan.tune_plan import tune_plan
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    Event,
    Failure,
    FailureKind,
    ModelBuilt,
    RunFinished,
    RunsAdded,
    RunStarted,
    RunTakenOver,
    SessionFinished,
    SessionOutcome,
    SessionStarted,
)
from gpubench_tui.engine.record.session import Session, fold
from msgspec.structs import replace

from .sessions import CORES, HOST, breakdown, rank_up, spec, windows

WINDOWS = 3
"""Windows of each run; too few for an interval, which the runs of a pair do without."""
RUN_SECONDS = 15.0
MOST_RUNS = 400
SETTLED = Workload(
    name="cnn", model="cnn", batch=64, images=5000, precision="bf16", channels_last=True, compile=True
)
"""A training for which there is no routine remedy."""


class CannotRunError(Exception):
    """A run that fails on the machine."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(kind=kind, rank=0, message=message, log="logs/rank0.log")


Detail = Callable[[RunSpec], Mapping[str, Sequence[float]]]
"""Seconds of each part of the steps of a run's detail phase."""
Rate = Callable[[RunSpec], float]
"""Throughput of a run in samples/s; raises CannotRunError where it fails."""


def out_of_memory(batch: int) -> CannotRunError:
    return CannotRunError("out of memory", f"CUDA ran out of memory at batch {batch}")


def opened(
    *,
    allow: Sequence[Cost] = (),
    minutes: float | None = None,
    run: RunSpec | None = None,
    workload: Workload = Workload(name="cnn", model="cnn", batch=64, images=5000),  # noqa: B008
) -> list[Event]:
    """The beginning of a tune, of a run that is measured by windows on one device unless it is given."""
    run = run or spec("01-single-1x64-cnn", "single", workloads=[workload], measure=Measure(detail=20))
    plan = Plan(preset="demo", title="A demo", question="Fast?", devices=CORES[:2], runs=(run,))
    plan = tune_plan(plan, run, Tune(allow=tuple(allow), minutes=minutes))
    return [
        SessionStarted(
            at=0.0, session="demo-1", program="0.1.0", unix_time=1.7e9, pid=1, host=HOST, plan=plan
        )
    ]


def measured_at(run: RunSpec, rate: float, at: float, *, seconds: float = 2000.0) -> list[Event]:
    """The events of a run that takes its windows at that rate: long ones, for they hold whole samples."""
    samples = round(rate * seconds)
    events: list[Event] = [RunStarted(at=at, run=run.id)]
    for rank in range(run.world_size):
        events += [
            replace(event, train_samples=_units(run.workload)) if isinstance(event, ModelBuilt) else event
            for event in rank_up(run.id, rank, ranks=run.world_size)
        ]
        events += windows(run.id, rank, [seconds] * WINDOWS, samples=samples // run.world_size)
    end = at + RUN_SECONDS
    events = [
        replace(event, at=at + (event.at - at if event.at >= at else event.at / 10)) for event in events
    ]
    return [*events, RunFinished(at=end, run=run.id, outcome="measured")]


def _units(workload: Workload) -> int:
    """Images or tokens of the training set."""
    return workload.tokens if workload.training == "tokens" else workload.images


def gone_on(
    events: Iterable[Event], rate: Rate, *, runs: int = MOST_RUNS, detail: Detail | None = None
) -> list[Event]:
    """The events of a tune that has gone on, for so many runs at most; it ends when nothing follows.

    `detail`: parts of a step of runs with a detail phase.
    """
    recorded = list(events)
    session = fold(recorded)
    for _ in range(runs):
        waiting = [run.spec for run in session.runs.values() if run.state == "waiting"]
        if not waiting:
            added = next_runs(session)
            if not added:
                return [*recorded, SessionFinished(at=session.elapsed, outcome="finished")]
            waiting = list(added)
            new: list[Event] = [RunsAdded(at=session.elapsed, runs=added)]
        else:
            new = []
        new += _carried_out(waiting[0], rate, session.elapsed, detail)
        for event in new:
            session.apply(event)
        recorded += new
    return recorded


def ended(events: Iterable[Event], outcome: SessionOutcome, reason: str = "") -> Session:
    """The session of these events, which ends so."""
    recorded = list(events)
    return fold([*recorded, SessionFinished(at=fold(recorded).elapsed, outcome=outcome, reason=reason)])


def taken_over_by_another(events: Iterable[Event], *, minutes: float | None = None) -> list[Event]:
    """The beginning of a tune that resumes another, whose runs that came to an end it takes over."""
    recorded = list(events)
    session = fold(recorded)
    (first,) = (event for event in recorded if isinstance(event, SessionStarted))
    plan = (
        replace(session.plan, tune=replace(session.plan.tune, minutes=minutes)) if session.plan.tune else None
    )
    assert plan is not None
    begun: list[Event] = [replace(first, session="demo-2", resumes=first.session, plan=plan)]
    done = {name for name, run in session.runs.items() if run.state in ("measured", "failed", "skipped")}
    begun += [RunTakenOver(at=-session.elapsed, run=name, session=first.session) for name in done]
    return begun + [
        replace(event, at=event.at - session.elapsed - 1)
        for event in recorded
        if getattr(event, "run", None) in done
    ]


def _carried_out(run: RunSpec, rate: Rate, at: float, detail: Detail | None) -> list[Event]:
    if run.skip is not None:
        return [RunFinished(at=at, run=run.id, outcome="skipped", reason=run.skip)]
    try:
        *rest, end = measured_at(run, rate(run), at)
        if detail is not None and run.measure.detail:
            rest += [
                replace(breakdown(run.id, rank, **detail(run)), at=end.at) for rank in range(run.world_size)
            ]
        return [*rest, end]
    except CannotRunError as error:
        failure = error.failure
        return [
            RunStarted(at=at, run=run.id),
            RunFinished(at=at + 5, run=run.id, outcome="failed", failure=failure, reason=failure.message),
        ]


def too_little_work(*remedies: Remedy) -> Diagnosis:
    """Return a diagnosis with these remedies."""
    return Diagnosis(
        name="too little work per step",
        severity="warning",
        sentence="",
        evidence=(),
        advice="",
        remedies=remedies,
        runs=(),
    )
