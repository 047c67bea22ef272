"""A session whose input is slow, and a trial of a remedy for it, as folders on a shelf."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gpubench_tui.engine.host.facts import Host
from gpubench_tui.engine.plan.plan import Plan, RunSpec
from gpubench_tui.engine.plan.remedy import Remedy
from gpubench_tui.engine.plan.trial_plan import TURNS, trial_plan
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, SessionFinished, SessionStarted
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf

from .sessions import HOST, breakdown, measured, spec

RESIDENT = Remedy(name="resident data", changes={"placement": "device"}, costs=("memory",), ceiling=2.5)
LOADED = Workload(name="cnn", model="cnn", batch=64, images=5000, placement="loader")
RUN = spec("01-single-1x64-cnn", "single", workloads=[LOADED])
SLOW = {"input": [0.06] * 20, "forward": [0.02] * 20, "backward": [0.02] * 20}
FAST = {"input": [0.0001] * 20, "forward": [0.02] * 20, "backward": [0.02] * 20}
WITHOUT, WITH = (2.0, 2.02, 1.98, 2.0), (1.0, 1.01, 0.99, 1.0)
"""Seconds of the windows of each pair."""


def shelve_slow_input(
    root: Path, name: str = "slow", *, run: RunSpec = RUN, host: Host = HOST, program: str = "0.1.0"
) -> SessionFolder:
    """A session of one run that waits for its loader most of the time."""
    plan = Plan(preset="demo", title="A demo", question="Fast?", devices=run.devices, runs=(run,))
    *events, end = measured(run.id, [[2.0, 2.01, 1.99, 2.0, 2.0]])
    return _shelve(root, name, plan, [*events, breakdown(run.id, 0, **SLOW), end], host=host, program=program)


def shelve_trial(origin: SessionFolder, name: str = "slow-try", pairs: int = TURNS) -> SessionFolder:
    """A trial of resident data for it, with so many pairs measured; it ended if all were."""
    plan = trial_plan(origin.request().plan, RUN, "input-bound", RESIDENT, origin.name, HOST)
    events: list[Event] = []
    for run in plan.runs:
        assert run.attempt is not None
        if run.repeat <= pairs:
            seconds = (WITH if run.attempt.changed else WITHOUT)[run.repeat - 1]
            *begun, end = measured(run.id, [[seconds] * 5])
            parts = FAST if run.attempt.changed else SLOW
            events += [*begun, breakdown(run.id, 0, **parts), end]
    return _shelve(origin.path.parent, name, plan, events, over=pairs == TURNS)


def _shelve(
    root: Path,
    name: str,
    plan: Plan,
    events: Iterable[Event],
    over: bool = True,
    host: Host = HOST,
    program: str = "0.1.0",
) -> SessionFolder:
    folder = Shelf(root).create(name, plan, host, "")
    begin = SessionStarted(
        at=0.0, session=folder.name, program=program, unix_time=1.7e9, pid=1, host=host, plan=plan
    )
    journal = Journal(folder.journal)
    for event in (begin, *events, *([SessionFinished(at=100.0, outcome="finished")] if over else [])):
        journal.append(event)
    journal.close()
    return folder
