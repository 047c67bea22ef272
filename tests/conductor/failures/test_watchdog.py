"""When the silence of ranks is too long."""

from __future__ import annotations

import time
from typing import Literal

import pytest
from gpubench_tui.engine.conductor.failures.blame import cause_of_silence
from gpubench_tui.engine.conductor.failures.evidence import Observations
from gpubench_tui.engine.conductor.failures.watchdog import RunWatch
from gpubench_tui.engine.plan.preset.preset import Mode
from gpubench_tui.engine.plan.workload.workload import Placement
from gpubench_tui.engine.record.events import PhaseChanged, RankFinished
from msgspec.structs import replace

from .watching import steps, watch


def test_a_rank_that_goes_on_is_not_taken_for_hung() -> None:
    over = watch(hang=0.2)
    for _ in range(4):
        time.sleep(0.1)
        over.hear(0, [steps(0, 0, 1, 1.0)])
        over.hear(1, [PhaseChanged(at=1.0, run="r", rank=1, phase="loading data", note="40%")])
        assert over.silence(lambda _: False) is None


def test_one_that_is_not_ready_has_more_time_than_the_others_have_to_wait_for_it() -> None:
    over = watch(hang=100.0)
    over.ranks[1].entered = False
    silence(over, 90)
    assert over.silence(lambda _: False) is None
    silence(over, 110)
    found = over.silence(lambda _: False)
    assert found is not None
    assert [each.rank for each in found.ranks] == [0, 1]
    over = watch(ranks=1, hang=100.0)
    over.ranks[0].entered = False
    silence(over, 290)
    assert over.silence(lambda _: False) is None
    silence(over, 310)
    assert over.silence(lambda _: False) is not None


def test_those_that_finished_or_never_appeared_do_not_hang() -> None:
    over = watch(hang=0.1)
    finished = RankFinished(at=1.0, run="r", rank=0, steps=1, samples=1)
    over.hear(0, [finished])
    over.ranks[1].pid = None
    time.sleep(0.15)
    assert over.silence(lambda _: False) is None
    assert not over.finished
    assert not over.broken


def test_silence_proves_nothing_when_nobody_listened() -> None:
    over = watch(hang=1.0)
    for watched in over.ranks.values():
        watched.heard -= 100
    over.looked -= 100
    assert over.silence(lambda _: False) is None


@pytest.mark.parametrize("mode", ["ddp", "concurrent"])
def test_ranks_that_wait_for_one_that_compiles_do_not_hang(mode: Mode) -> None:
    over = watch(hang=0.2)
    over.spec = replace(over.spec, mode=mode)
    for _ in range(4):
        time.sleep(0.1)
        note = f"compiling the model, {time.monotonic()} s"
        over.hear(1, [PhaseChanged(at=1.0, run="r", rank=1, phase="warming up", note=note, compiling=True)])
    found = over.silence(lambda _: False)
    assert ([each.rank for each in found.ranks] if found else None) == ([0] if mode == "concurrent" else None)


def on_gpus(placement: Placement = "device", kind: Literal["cuda", "cpu"] = "cuda") -> RunWatch:
    """A run in which a step of a rank has taken 0.1 s, and the others less."""
    over = watch(hang=120.0)
    spec = over.spec
    over.spec = replace(
        spec,
        devices=tuple(replace(each, kind=kind) for each in spec.devices),
        workloads=(replace(spec.workload, placement=placement),),
    )
    for rank in over.ranks:
        measuring = PhaseChanged(at=1.0, run="r", rank=rank, phase="measuring")
        over.hear(rank, [measuring, replace(steps(rank, 0, 10, 2.0), seconds=[0.1] + [0.01] * 9)])
    return over


def silence(over: RunWatch, seconds: float) -> None:
    """Let all ranks have been silent for so long."""
    for watched in over.ranks.values():
        watched.heard = time.monotonic() - seconds


def test_a_gpu_that_has_shown_how_long_steps_take_is_given_up_early() -> None:
    over = on_gpus()
    silence(over, 25)
    assert over.silence(lambda _: False) is None
    silence(over, 35)
    found = over.silence(lambda _: False)
    assert found is not None
    assert [each.steps for each in found.ranks] == [10, 10]


@pytest.mark.parametrize("why", ["loader", "cpu", "evaluation", "long steps", "long windows", "halted"])
def test_whatever_else_may_hold_up_a_rank_has_its_time(why: str) -> None:
    over = on_gpus("loader" if why == "loader" else "device", "cpu" if why == "cpu" else "cuda")
    if why == "evaluation":
        over.hear(1, [PhaseChanged(at=3.0, run="r", rank=1, phase="evaluating")])
        over.hear(0, [PhaseChanged(at=3.0, run="r", rank=0, phase="evaluating")])
    if why == "long steps":
        for rank in over.ranks:
            over.hear(rank, [replace(steps(rank, 10, 1, 3.0), seconds=[20.0])])
    if why == "long windows":
        over.spec = replace(over.spec, measure=replace(over.spec.measure, window_seconds=20.0))
    halted = why == "halted"
    silence(over, 110)
    assert over.silence(lambda pid: halted and pid == 1001) is None
    silence(over, 130)
    found = over.silence(lambda pid: halted and pid == 1001)
    assert found is not None
    assert found.halted == ({1} if halted else set())


@pytest.mark.parametrize("compiled", [False, True])
def test_the_first_step_of_a_compiled_model_has_more_time(compiled: bool) -> None:
    over = watch(hang=120.0)
    over.spec = replace(over.spec, workloads=(replace(over.spec.workload, compile=compiled),))
    for rank in over.ranks:
        over.hear(rank, [PhaseChanged(at=1.0, run="r", rank=rank, phase="warming up")])
    silence(over, 500)
    assert (over.silence(lambda _: False) is None) == compiled
    silence(over, 610)
    found = over.silence(lambda _: False)
    assert found is not None
    told = cause_of_silence(over, found, Observations([]), 0.0).message
    assert told.endswith(
        "torch.compile was at work: raise measure.hang_seconds, or set workload.compile = false"
        if compiled
        else "if a step may take so long, raise measure.hang_seconds, or lower workload.batch"
    )
    over.hear(0, [steps(0, 0, 1, 1.0)])
    silence(over, 130)
    late = over.silence(lambda _: False)
    assert late is not None and 0 in {each.rank for each in late.ranks}, "the next step has the usual time"


def test_a_silence_at_the_start_may_take_all_its_time() -> None:
    over = on_gpus()
    over.ranks[0].steps = over.ranks[1].steps = 9
    silence(over, 110)
    assert over.silence(lambda _: False) is None


def test_a_rank_whose_messages_wait_for_the_disk_is_not_silent() -> None:
    over = on_gpus()
    silence(over, 35)
    for rank in over.ranks:
        over.excuse(rank)
    assert over.silence(lambda _: False) is None
