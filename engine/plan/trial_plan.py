"""The plan of a trial: a run as it was and with a remedy, in turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from ..host.facts import Host
from .changed_run import changed_run
from .plan import Plan, RunSpec
from .preset.preset import Measure
from .preset.values import value_at
from .remedy import Attempt, Remedy, Trial

TURNS = 4
"""Pairs of runs, as it was and with the remedy, whose ratios give the gain: an even number, so that either
was first equally often."""
MOST_SECONDS = 10.0
"""Most seconds of windows of each run: more pairs tell more than longer ones."""


def trial_plan(plan: Plan, run: RunSpec, diagnosis: str, remedy: Remedy, session: str, host: Host) -> Plan:
    """Return the plan that tries a remedy on a run of the session of that name, whose plan is given.

    Where the host cannot carry out the remedy, all runs are skipped. Raises msgspec.ValidationError where the
    remedy changes a key to a value that is not allowed.
    """
    before = run_alone(run)
    after = changed_run(before, remedy.changes, plan.devices, host)
    varied = {key: value_at(before.workload, key) for key in after.varied}
    before = replace(before, id=f"{before.id}-as-it-was", varied=varied, skip=after.skip)
    attempt = Attempt(number=1, purpose="remedy", diagnosis=diagnosis, remedy=remedy)
    sides = (replace(before, attempt=attempt), replace(after, attempt=replace(attempt, changed=True)))
    return Plan(
        preset=plan.preset,
        title=f"Trial of {remedy.name}",
        question=f"What does {remedy.name} bring, and is {diagnosis} gone with it?",
        devices=plan.devices,
        runs=tuple(_turns(*sides, [key for key in remedy.changes if key in varied])),
        changes=plan.changes,
        reduced=plan.reduced,
        trial=Trial(session=session, run=run.id),
    )


def run_alone(run: RunSpec) -> RunSpec:
    """Return a run that is the first of its kind and compared with none, measured by few windows."""
    repeated = f"-r{run.repeat}"
    is_repeat = bool(run.configuration) and run.id.endswith(repeated)
    name = run.id.removesuffix(repeated) if is_repeat else run.id
    return replace(
        run,
        id=name,
        configuration=name,
        label=run.label.removesuffix(f", repeat {run.repeat}"),
        repeat=1,
        baseline=None,
        controls={},
        attempt=None,
        measure=_short(run.measure),
    )


def _short(measure: Measure) -> Measure:
    # Without a detail phase there would be nothing to diagnose.
    detail = measure.detail or Measure().detail
    return replace(measure, epochs=0, repeats=1, seconds=min(measure.seconds, MOST_SECONDS), detail=detail)


def _turns(before: RunSpec, after: RunSpec, keys: Sequence[str]) -> Iterator[RunSpec]:
    """Yield the two in turns, every other time in the other order, so that drift favours neither.

    `keys`: the keys of the workload that are changed.
    """
    for turn in range(1, TURNS + 1):
        pair = [_repeat(spec, turn, f"{before.id}-r{turn}") for spec in (before, after)]
        if len(keys) == 1 and before.mode == after.mode:
            pair[1] = replace(pair[1], controls={keys[0]: pair[0].id})
        yield from pair if turn % 2 else reversed(pair)


def _repeat(spec: RunSpec, turn: int, baseline: str) -> RunSpec:
    return replace(
        spec,
        id=f"{spec.id}-r{turn}",
        label=f"{spec.label}, repeat {turn}",
        repeat=turn,
        configuration=f"{spec.id}-r1",
        baseline=baseline,
        measure=replace(spec.measure, repeats=TURNS),
    )
