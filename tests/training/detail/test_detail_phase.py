"""Where a step goes, with delays that are known; each rank a process of its own with a core of its own."""

from __future__ import annotations

import os
import re
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from statistics import median
from types import ModuleType

import pytest
from building.sessions import spec
from gpubench_tui.engine.analysis.projection.collectives import Layout
from gpubench_tui.engine.analysis.projection.overlap import BucketModel
from gpubench_tui.engine.analysis.results.bandwidth import curve
from gpubench_tui.engine.analysis.results.phases import OF_DDP
from gpubench_tui.engine.plan.pace import MOST_TURNS_SECONDS
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    BandwidthMeasured,
    Breakdown,
    CommunicationMeasured,
    ModelBuilt,
    PhaseChanged,
    RankEvent,
    RankFinished,
    RankMeasured,
    Steps,
    Window,
)
from gpubench_tui.engine.record.run import RankState, RunState
from gpubench_tui.engine.training.detail.communication import take_turns
from gpubench_tui.engine.training.detail.detail_phase import FEWEST, SECONDS, steps_within
from gpubench_tui.engine.training.device.clock import Mark, wait_for
from gpubench_tui.engine.training.device.cpu import HostClock
from gpubench_tui.engine.training.parallel.group import Group

pytestmark = pytest.mark.slow

PARTS = ("input", "transfer", "forward", "backward", "dividing", "exposed", "copying", "optimizer")
OWN_MODELS = Path(__file__).parents[1] / "own_models.py"
STEPS = 10
QUICK = Measure(windows=2, window_seconds=0.1, seconds=0.1, target=0, warmup_steps=2, detail=STEPS)
LENET = Workload(model="lenet", images=1000, batch=20, learning_rate=0.05)

two_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")


def typical(breakdown: Breakdown) -> dict[str, float]:
    return {part: median(getattr(breakdown, part) or [0.0]) for part in PARTS}


def slept(log: Path) -> float:
    return median(float(found) for found in re.findall(r"^slept (.*)$", log.read_text(), re.M))


TRIES = 5
"""Other programs may disturb a measurement, but hardly five in a row."""


@two_cores
@pytest.mark.parametrize("part", ["input", "forward", "backward", "optimizer"])
@pytest.mark.timeout(300)
def test_a_known_delay_of_one_rank_is_found_where_it_is(part: str, ranks: ModuleType, tmp_path: Path) -> None:
    """The other rank waits for it: that is where exposed communication shows, not on the culprit."""
    for attempt in range(TRIES):
        try:
            find_the_delay(part, ranks, tmp_path / str(attempt))
            return
        except AssertionError:
            if attempt == TRIES - 1:
                raise


def find_the_delay(part: str, ranks: ModuleType, folder: Path) -> None:
    workload = Workload(model=f"{OWN_MODELS}:{part}", images=400, batch=8)
    done = ranks.launch(ranks.cpu_run("ddp", 2, workload, QUICK), folder)
    assert not done.failed, done.log.read_text()
    other, culprit = (typical(done.of(Breakdown, rank)[0]) for rank in range(2))
    delay = slept(folder / "logs" / "01-test-rank1.log")
    assert culprit[part] - other[part] == pytest.approx(delay, rel=0.1)
    assert other["exposed"] - culprit["exposed"] == pytest.approx(delay, rel=0.1)
    for innocent in set(PARTS) - {part, "exposed"}:
        assert abs(culprit[innocent] - other[innocent]) < 0.1 * delay
    # What synchronising costs the rank that is not slow itself is the wait for the other. There are few turns
    # here, of one step each, and what the other does after its last all-reduce is nothing to wait for.
    costs = [
        median(said.synchronised) - median(said.unsynchronised)
        for rank in range(2)
        for said in done.of(CommunicationMeasured, rank)
    ]
    assert costs == pytest.approx([0.0 if part == "optimizer" else delay, 0.0], abs=0.25 * delay)


@two_cores
def test_waiting_for_rank_0_s_buffers_is_exposed_and_no_work_of_the_rank_that_waits(
    ranks: ModuleType, tmp_path: Path
) -> None:
    workload = Workload(model=f"{OWN_MODELS}:buffers", images=400, batch=8)
    done = ranks.launch(ranks.cpu_run("ddp", 2, workload, QUICK), tmp_path)
    assert not done.failed, done.log.read_text()
    culprit, other = (typical(done.of(Breakdown, rank)[0]) for rank in range(2))
    delay = slept(tmp_path / "logs" / "01-test-rank0.log")
    assert culprit["input"] - other["input"] == pytest.approx(delay, rel=0.1)
    assert other["exposed"] - culprit["exposed"] == pytest.approx(delay, rel=0.2)
    assert abs(other["forward"] - culprit["forward"]) < 0.2 * delay
    waits = [median(done.of(CommunicationMeasured, rank)[0].buffers) for rank in range(2)]
    assert waits[0] < 0.2 * delay
    assert waits[1] == pytest.approx(delay, rel=0.2)
    assert [done.of(ModelBuilt, rank)[0].buffer_bytes for rank in range(2)] == [2 * 4 * 10 + 8] * 2


@pytest.mark.parametrize("placement", ["device", "loader"])
def test_without_communication_the_parts_fill_the_step(
    placement: str, ranks: ModuleType, tmp_path: Path
) -> None:
    workload = Workload(model="lenet", images=200, batch=20, placement=placement, loader_workers=1)
    done = ranks.launch(ranks.cpu_run("single", 1, workload, QUICK), tmp_path)
    assert not done.failed, done.log.read_text()
    (breakdown,) = done.of(Breakdown)
    for number, step in enumerate(breakdown.step):
        parts = [getattr(breakdown, part)[number] for part in PARTS if part not in OF_DDP]
        assert sum(parts) == pytest.approx(step)
        assert all(seconds >= 0 for seconds in parts)
    assert breakdown.exposed == [0.0] * STEPS
    assert breakdown.copying == breakdown.dividing == []
    assert len(breakdown.step) == STEPS
    assert not done.of(CommunicationMeasured)
    assert not done.of(BandwidthMeasured)
    # These steps come after the windows, and count nowhere else.
    events = done.events[0]
    assert events.index(done.of(Window)[-1]) < events.index(breakdown)
    assert sum(len(event.seconds) for event in done.of(Steps)) == done.of(RankFinished)[0].steps
    phases = [event.phase for event in done.of(PhaseChanged) if not event.note]
    assert phases == ["loading data", "building model", "warming up", "measuring", "detail", "finishing"]


def test_ddp_tells_when_its_buckets_travel(ranks: ModuleType, tmp_path: Path) -> None:
    workload = Workload(model="cnn", images=200, batch=8, learning_rate=0.01)
    measure = Measure(epochs=1, warmup_steps=1, window_seconds=0.1, seconds=0.1, detail=4)
    done = ranks.launch(ranks.cpu_run("ddp", 2, workload, measure), tmp_path)
    assert not done.failed, done.log.read_text()
    assert done.of(RankMeasured)[0].replicas_equal
    said = [done.of(CommunicationMeasured, rank)[0] for rank in range(2)]
    sizes = [[bucket.bytes for bucket in own.buckets] for own in said]
    assert sizes[0] == sizes[1]
    assert len(sizes[0]) == 2
    assert sum(sizes[0]) == 4 * 1_147_466
    for first, second in zip(said[0].buckets, said[1].buckets, strict=True):
        for step in range(4):
            # On a clock that both share, no all-reduce ends before both ranks have begun it.
            begun = max(first.start[step], second.start[step])
            assert begun <= min(first.end[step], second.end[step])
    for own in said:
        starts = [bucket.start for bucket in own.buckets]
        assert all(a < b for a, b in zip(*starts, strict=True))
        assert all(bucket.end[step] <= own.at for bucket in own.buckets for step in range(4))
        assert len(own.synchronised) == len(own.unsynchronised) >= 5
    for rank in range(2):
        (breakdown,) = done.of(Breakdown, rank)
        for number, step in enumerate(breakdown.step):
            parts = [getattr(breakdown, part)[number] for part in PARTS]
            assert min(parts) >= 0
            assert breakdown.dividing[number] > 0
            # Nothing is left over: forward, backward and update follow each other without a gap.
            assert sum(parts) == pytest.approx(step)
    (bandwidth,) = done.of(BandwidthMeasured)
    assert bandwidth.collective == "all_reduce"
    assert bandwidth.sizes[:3] == [1024, 4096, 16384]
    assert len(bandwidth.sizes) == len(bandwidth.seconds)
    assert not done.of(BandwidthMeasured, 1)
    more_devices_can_be_projected(done.events, bandwidth)


def more_devices_can_be_projected(ranks: list[list[RankEvent]], bandwidth: BandwidthMeasured) -> None:
    run = RunState(spec(bandwidth.run, "ddp", 2))
    for event in chain(*ranks):
        run.apply(event)
    model = BucketModel.of([run], curve([bandwidth], 2))
    assert model is not None
    assert [len(steps) for steps in model.pool.ranks] == [4, 4]
    assert all(0 < first < second for first, second in model.pool.steps)
    # A step of the two is what each of them measured without communication, and at least that with it.
    work = [a - b for rank in run.ranks.values() for a, b in zip(*parts_of(rank), strict=True)]
    assert sorted(row[-1] for row in model.pool.steps) == pytest.approx(sorted(work))
    here, there = model.step(Layout(2, 1)), model.step(Layout(8, 1))
    assert max(work) + sum(model.transfers(Layout(2, 1), None)) >= here.mean - model.broadcasting > min(work)
    assert there.mean > here.mean


def parts_of(rank: RankState) -> tuple[list[float], list[float]]:
    """The steps of a rank, and their exposed communication."""
    assert rank.breakdown is not None
    return rank.breakdown.step, rank.breakdown.exposed


def test_a_step_is_all_of_its_passes(ranks: ModuleType, tmp_path: Path) -> None:
    workload = Workload(model="lenet", images=240, batch=8, accumulate=3, learning_rate=0.01)
    measure = Measure(epochs=1, warmup_steps=1, window_seconds=0.1, seconds=0.1, detail=4)
    done = ranks.launch(ranks.cpu_run("ddp", 2, workload, measure), tmp_path)
    assert not done.failed, done.log.read_text()
    assert done.of(RankMeasured)[0].replicas_equal
    assert done.of(ModelBuilt)[0].steps_per_epoch == 240 // (2 * 8 * 3)
    assert [sum(window.samples for window in done.of(Window, rank)) for rank in range(2)] == [120, 120]
    for rank in range(2):
        (breakdown,) = done.of(Breakdown, rank)
        for number, step in enumerate(breakdown.step):
            assert sum(getattr(breakdown, part)[number] for part in PARTS) == pytest.approx(step)
        (said,) = done.of(CommunicationMeasured, rank)
        assert sum(bucket.bytes for bucket in said.buckets) == 4 * 62_006, "once for all passes"
        assert [len(bucket.start) for bucket in said.buckets] == [4] * len(said.buckets)


def test_independent_trainings_have_a_breakdown_each(ranks: ModuleType, tmp_path: Path) -> None:
    workloads = [LENET, Workload(model="cnn", images=200, batch=20)]
    done = ranks.launch(ranks.cpu_run("concurrent", 2, workloads, QUICK), tmp_path)
    assert not done.failed, done.log.read_text()
    for rank in range(2):
        assert len(done.of(Breakdown, rank)[0].step) == STEPS
        assert not done.of(CommunicationMeasured, rank)
        assert not done.of(BandwidthMeasured, rank)


def test_ddp_alone_has_nobody_to_speak_to(ranks: ModuleType, tmp_path: Path) -> None:
    done = ranks.launch(ranks.cpu_run("ddp", 1, LENET, QUICK), tmp_path)
    assert not done.failed, done.log.read_text()
    assert done.of(Breakdown)[0].exposed == [0.0] * STEPS
    assert not done.of(CommunicationMeasured)
    assert not done.of(BandwidthMeasured)


def test_fewer_steps_are_looked_at_where_they_take_long() -> None:
    assert steps_within(20, 0.01) == 20
    assert steps_within(20, SECONDS / 10) == 10
    assert steps_within(20, 2.0) == FEWEST
    assert steps_within(20, 8.0) == 2
    assert steps_within(20, 60.0) == 1
    assert steps_within(3, 0.01) == 3, "never more than asked for"


@pytest.mark.parametrize(
    ("pace", "pairs", "lead"), [(0.001, 15, 1), (0.05, 15, 1), (0.5, 5, 1), (4.0, 2, 0), (60.0, 1, 0)]
)
def test_turns_are_fewer_where_steps_take_long(pace: float, pairs: int, lead: int) -> None:
    taken: list[int] = []

    def train(steps: int) -> float:
        taken.append(steps)
        return steps * pace

    class Ddp:
        no_sync = nullcontext

    together, apart = take_turns(Ddp(), Group(), train, pace)  # type: ignore[arg-type]
    assert len(together) == len(apart) == pairs
    assert together == [pytest.approx(pace)] * pairs
    assert len(taken) == 2 * (pairs + lead)
    assert sum(taken) * pace < max(2 * MOST_TURNS_SECONDS, 2.5 * pace)


def test_a_device_that_takes_long_is_not_waited_for_in_silence() -> None:
    class SlowClock(HostClock):
        looks = 0
        done: list[str] = []  # noqa: RUF012

        def reached(self, mark: Mark) -> bool:
            self.looks += 1
            return self.looks > 4

        def synchronize(self) -> None:
            self.done.append("synchronized")

    clock = SlowClock()
    wait_for(clock, lambda: clock.done.append("waiting"), seconds=60)
    assert clock.done == ["waiting"] * 4 + ["synchronized"]


def test_a_device_that_hangs_is_waited_for_in_silence() -> None:
    class HungClock(HostClock):
        synchronized = False

        def reached(self, mark: Mark) -> bool:
            return False

        def synchronize(self) -> None:
            self.synchronized = True

    clock, waited = HungClock(), []
    wait_for(clock, lambda: waited.append(1), seconds=0.02)
    assert clock.synchronized
    assert 0 < len(waited) <= 10


def test_a_look_that_fails_leaves_what_was_measured(ranks: ModuleType, tmp_path: Path) -> None:
    workload = Workload(model=f"{OWN_MODELS}:unlookable", images=400, batch=8)
    done = ranks.launch(ranks.cpu_run("single", 1, workload, QUICK), tmp_path)
    assert not done.failed, done.log.read_text()
    assert done.of(Window, 0)
    (finished,) = done.of(RankFinished, 0)
    assert finished.detail_trouble.endswith(", in fail: RuntimeError: nothing to see here")
    assert "Traceback" in done.log.read_text()


@pytest.mark.parametrize("mode", ["ddp", "concurrent"])
def test_a_look_that_fails_on_one_rank_leaves_the_windows_of_all(
    mode: str, ranks: ModuleType, tmp_path: Path
) -> None:
    """Its peers wait for it where they notice nothing, and are told."""
    workload = Workload(model=f"{OWN_MODELS}:one_fails", images=400, batch=8)
    done = ranks.launch(
        ranks.cpu_run(mode, 2, [workload] * (2 if mode == "concurrent" else 1), QUICK), tmp_path
    )
    assert not done.failed, done.log.read_text()
    for rank in range(2):
        assert len(done.of(Window, rank)) >= 2
        (finished,) = done.of(RankFinished, rank)
        assert finished.detail_trouble.startswith("rank 1: out of memory with a batch of 8")
        assert done.events[rank][-1] is finished
