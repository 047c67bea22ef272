"""Runs that would fail the same way as two others, judged by what those have in common."""

from collections.abc import Sequence

import pytest
from building.sessions import spec
from gpubench_tui.engine.conductor.failures.alike import LikeFailures
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Failure, FailureKind, RunFinished
from msgspec.structs import replace

MISSING = "ModuleNotFoundError: No module named 'flash_attnx'"
OWN = Workload(name="own", model="own.py:build")
OTHER = Workload(name="other", model="cnn")
SINGLE, DDP, DDP4 = (
    spec(f"{mode}{n}", mode, n, workloads=[OWN]) for mode, n in (("single", 1), ("ddp", 2), ("ddp", 4))
)


def sized(run: RunSpec, batch: int) -> RunSpec:
    return replace(run, id=f"{run.id}-{batch}", workloads=(replace(run.workload, batch=batch),))


def of(run: RunSpec, workload: Workload) -> RunSpec:
    return replace(run, id=f"{run.id}-{workload.name}", workloads=(workload,))


def failing(
    run: RunSpec, message: str = MISSING, kind: FailureKind = "raised"
) -> tuple[RunSpec, RunFinished]:
    failure = Failure(kind=kind, rank=0, message=message, log=None)
    return run, RunFinished(at=1.0, run=run.id, outcome="failed", failure=failure)


def working(run: RunSpec) -> tuple[RunSpec, RunFinished]:
    return run, RunFinished(at=1.0, run=run.id, outcome="measured")


def foretold(before: Sequence[tuple[RunSpec, RunFinished]], run: RunSpec) -> bool:
    failures = LikeFailures()
    for each in before:
        failures.add(*each)
    return failures.foretell(run) is not None


@pytest.mark.parametrize(
    ("before", "run"),
    [
        ([failing(SINGLE), failing(DDP)], DDP4),
        ([failing(SINGLE), failing(DDP)], sized(DDP4, 32)),
        ([failing(sized(SINGLE, 32)), failing(sized(SINGLE, 64))], sized(SINGLE, 128)),
        ([failing(sized(SINGLE, 32)), failing(sized(SINGLE, 64))], sized(DDP, 32)),
        ([failing(SINGLE), failing(spec("ddp1", "ddp", 1, workloads=[OWN]))], DDP),
        ([failing(SINGLE), failing(of(SINGLE, OTHER)), failing(DDP)], of(DDP, OTHER)),
        ([failing(SINGLE), failing(DDP)], spec("both", "concurrent", 2, workloads=[OTHER, OWN])),
        (
            [
                failing(DDP, "rank 0 or 1: no file /tmp/a/x at 0x7f01"),
                failing(SINGLE, "no file /tmp/b/x at 0x7f02"),
            ],
            DDP4,
        ),
        (
            [
                failing(run, f"no progress for 12{n} s after {n} steps, in f", "hung")
                for n, run in enumerate((SINGLE, DDP))
            ],
            DDP4,
        ),
    ],
)
def test_what_two_failures_have_in_common_would_fail_again(
    before: list[tuple[RunSpec, RunFinished]], run: RunSpec
) -> None:
    assert foretold(before, run)


@pytest.mark.parametrize(
    ("before", "run"),
    [
        ([failing(SINGLE)], DDP),
        ([failing(SINGLE), failing(DDP, "another")], DDP4),
        ([failing(SINGLE), failing(DDP)], of(DDP4, OTHER)),
        ([failing(sized(DDP, 32)), failing(sized(DDP, 64))], SINGLE),
        ([failing(sized(DDP, 32)), failing(sized(DDP, 64))], sized(DDP4, 32)),
        ([working(sized(SINGLE, 32)), failing(SINGLE), failing(DDP)], DDP4),
        ([failing(SINGLE, kind="out of memory"), failing(DDP, kind="out of memory")], DDP4),
        ([failing(SINGLE, kind="killed"), failing(DDP, kind="killed")], DDP4),
        ([failing(SINGLE, kind="launch"), failing(DDP, kind="launch")], DDP4),
        (
            [failing(run, "input of size [1, 128]: more is needed") for run in (SINGLE, DDP)],
            sized(DDP4, 256),
        ),
        ([failing(run, "too slow", "hung") for run in (SINGLE, DDP)], sized(DDP4, 16)),
        ([failing(run, "its process was stopped by a signal", "hung") for run in (SINGLE, DDP)], DDP4),
    ],
)
def test_a_run_that_could_work_goes_on(before: list[tuple[RunSpec, RunFinished]], run: RunSpec) -> None:
    assert not foretold(before, run)
