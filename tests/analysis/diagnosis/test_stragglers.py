"""Which rank the others wait for, as far as the ranks' steps tell."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from gpubench_tui.engine.analysis.diagnosis.stragglers import FEWEST_STEPS, paces
from gpubench_tui.engine.plan.plan import Device, RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure, Mode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Breakdown, Steps
from gpubench_tui.engine.record.run import RunState


def run_of(
    seconds: Sequence[float], exposed: Sequence[float] = (), mode: Mode = "ddp", steps: int = 50
) -> RunState:
    """A run whose ranks take so long for a step, and wait so long in it."""
    ranks = len(seconds)
    spec = RunSpec(
        id="run",
        label="run",
        mode=mode,
        devices=tuple(Device("cpu", index, "cpu") for index in range(ranks)),
        device_count=ranks,
        workloads=(Workload(model="cifar-resnet18", batch=8, learning_rate=0.1),),
        measure=Measure(),
    )
    run = RunState(spec)
    for rank, each in enumerate(seconds):
        taken = [each] * steps
        lists = {"loss": [1.0] * steps, "samples": [8] * steps, "learning_rate": [0.1] * steps}
        run.apply(Steps(at=1.0, run="run", rank=rank, first=0, seconds=taken, **lists))
    for rank, waited in enumerate(exposed):
        parts = ("input", "transfer", "forward", "backward", "optimizer")
        run.apply(
            Breakdown(
                at=2.0,
                run="run",
                rank=rank,
                step=[seconds[rank]],
                exposed=[waited],
                **{part: [0.0] for part in parts},
            )
        )
    return run


def test_independent_ranks_differ_by_their_own_steps() -> None:
    found = paces(run_of([0.010, 0.010, 0.013], mode="concurrent"))
    assert found is not None
    assert found.straggler == 2
    assert found.behind == pytest.approx(0.3)
    assert found.seconds == pytest.approx({0: 0.010, 1: 0.010, 2: 0.013})


def test_of_two_ranks_one_is_behind_the_other() -> None:
    found = paces(run_of([0.020, 0.010], mode="concurrent"))
    assert found is not None
    assert found.behind == pytest.approx(1.0)


def test_ranks_that_wait_for_each_other_differ_by_what_they_do_not_wait() -> None:
    together = [0.020, 0.020, 0.020, 0.020]
    before = paces(run_of(together))
    assert before is not None and before.straggler is None
    found = paces(run_of(together, exposed=[0.006, 0.001, 0.006, 0.006]))
    assert found is not None
    assert found.straggler == 1
    assert found.behind == pytest.approx(0.019 / 0.014 - 1)


def test_small_differences_are_no_straggler() -> None:
    found = paces(run_of([0.0100, 0.0108]))
    assert found is not None and found.straggler is None


def test_nothing_is_said_of_one_rank_or_of_few_steps_or_of_different_trainings() -> None:
    assert paces(run_of([0.01])) is None
    assert paces(run_of([0.01, 0.02], steps=FEWEST_STEPS - 1)) is None
