import sys
from pathlib import Path
from types import ModuleType

import pytest
from building.all_kinds import ATTEMPT, CPU_SAMPLE, DDP, DP, EVENTS, HOST, PLAN, SINGLE, STARTED, window
from building.sessions import steps
from gpubench_tui.engine.host.facts import GpuSample
from gpubench_tui.engine.record.events import (
    Evaluation,
    Event,
    Failure,
    LogMessage,
    MetricsLost,
    ModelBuilt,
    PhaseChanged,
    RankFinished,
    RankStarted,
    RunFinished,
    RunsAdded,
    RunStarted,
    Sampled,
    SessionFinished,
    Steps,
)
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import Session, fold, read_session
from gpubench_tui.engine.record.windows import MOST_WINDOWS
from msgspec.structs import replace


def begun(*events: Event) -> Session:
    return fold([STARTED, *events])


def built(rank: int) -> ModelBuilt:
    return ModelBuilt(
        at=1.0,
        run=DDP.id,
        rank=rank,
        parameters=5,
        train_samples=9,
        test_samples=3,
        steps_per_epoch=10,
    )


def finished(run: str, rank: int) -> RankFinished:
    return RankFinished(
        at=9.0,
        run=run,
        rank=rank,
        steps=1,
        samples=1,
    )


def test_the_whole_plan_is_there_from_the_start() -> None:
    session = begun()
    assert session.started
    assert (session.name, session.host, session.plan) == ("demo-1", HOST, PLAN)
    assert [(run, state.state) for run, state in session.runs.items()] == [
        (SINGLE.id, "waiting"),
        (DDP.id, "waiting"),
        (DP.id, "skipped"),
    ]
    assert session.runs[DP.id].reason == "it needs GPUs"
    assert session.current is session.outcome is None


def test_a_session_without_its_first_line_is_empty_but_whole() -> None:
    session = fold(EVENTS[1:])
    assert not session.started
    assert session.runs == {}
    assert session.plan.runs == ()
    assert session.outcome == "finished"
    assert session.elapsed == 3.0


def test_a_run_from_start_to_end() -> None:
    session = begun(RunStarted(at=1.0, run=SINGLE.id))
    run = session.runs[SINGLE.id]
    assert (run.state, run.started_at, session.current) == ("running", 1.0, SINGLE.id)
    session.apply(
        RankStarted(at=2.0, run=SINGLE.id, rank=0, pid=77, device="cpu (1 thread)", settings={"threads": 1})
    )
    session.apply(PhaseChanged(at=2.5, run=SINGLE.id, rank=0, phase="measuring", note="go", epoch=3))
    assert (run.phase, run.note, run.epoch) == ("measuring", "go", 3)
    assert (run.ranks[0].pid, run.ranks[0].settings) == (77, {"threads": 1})
    session.apply(finished(SINGLE.id, 0))
    session.apply(RunFinished(at=10.0, run=SINGLE.id, outcome="measured"))
    assert (run.state, run.finished_at, session.current, session.elapsed) == ("measured", 10.0, None, 10.0)
    assert run.progress == 1.0


def test_a_failed_run_keeps_its_failure() -> None:
    failure = Failure(kind="killed", rank=1, message="killed by SIGKILL", log="logs/x.log")
    session = begun(
        RunStarted(at=1.0, run=DDP.id), RunFinished(at=2.0, run=DDP.id, outcome="failed", failure=failure)
    )
    run = session.runs[DDP.id]
    assert (run.state, run.failure, run.reason) == ("failed", failure, "killed by SIGKILL")


def test_a_plan_grows_by_runs_that_it_does_not_hold_yet() -> None:
    added = replace(SINGLE, id="03-added", attempt=ATTEMPT)
    session = begun(RunsAdded(at=1.0, runs=(added, added, replace(SINGLE, label="another"))))
    assert session.plan.runs == (*PLAN.runs, added)
    assert session.runs[SINGLE.id].spec == SINGLE
    session.apply(RunStarted(at=2.0, run=added.id))
    assert (session.current, session.runs[added.id].state) == (added.id, "running")
    assert session.plan.run(added.id).attempt == ATTEMPT


def test_when_the_session_is_stopped_what_was_not_done_is_stopped_too() -> None:
    session = begun(RunStarted(at=1.0, run=SINGLE.id), SessionFinished(at=2.0, outcome="stopped"))
    assert session.outcome == "stopped"
    assert session.current is None
    assert [run.state for run in session.runs.values()] == ["stopped", "stopped", "skipped"]
    assert session.runs[DDP.id].reason


def test_a_journal_that_just_ends_leaves_its_run_running() -> None:
    session = begun(RunStarted(at=1.0, run=SINGLE.id))
    assert session.outcome is None
    assert session.runs[SINGLE.id].state == "running"


def test_only_rank_0_says_the_phase_and_the_loss() -> None:
    session = begun(
        RunStarted(at=1.0, run=DDP.id),
        PhaseChanged(at=1.0, run=DDP.id, rank=0, phase="measuring"),
        PhaseChanged(at=2.0, run=DDP.id, rank=1, phase="evaluating"),
        steps(DDP.id, 0, 0, [0.1] * 3, at=3.0),
        steps(DDP.id, 1, 0, [0.1] * 3, at=3.0),
    )
    run = session.runs[DDP.id]
    assert run.phase == "measuring"
    assert run.ranks[1].phase == "evaluating"
    assert [(b.x, b.mean) for b in run.loss.buckets()] == [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]
    assert run.learning_rate == 0.1


def test_losses_that_are_not_finite_leave_gaps() -> None:
    event = Steps(
        at=1.0,
        run=SINGLE.id,
        rank=0,
        first=10,
        seconds=[0.1] * 3,
        loss=[1.0, None, 3.0],
        samples=[1] * 3,
        learning_rate=[0.1, 0.1, 0.01],
    )
    run = begun(event).runs[SINGLE.id]
    assert [(b.x, b.mean) for b in run.loss.buckets()] == [(10.0, 1.0), (12.0, 3.0)]
    assert run.learning_rate == 0.01


def test_live_throughput_is_that_of_all_ranks_together() -> None:
    session = begun(steps(DDP.id, 0, 0, [0.5, 0.5], at=1.0))
    run = session.runs[DDP.id]
    assert run.throughput.last is None, "one rank alone would show half the throughput"
    session.apply(steps(DDP.id, 1, 0, [0.25, 0.25], at=1.1))
    assert run.throughput.last == pytest.approx(200 + 400)
    session.apply(steps(DDP.id, 0, 2, [1.0], at=2.0))
    assert run.throughput.last == pytest.approx(100 + 400)
    session.apply(finished(DDP.id, 1))
    session.apply(steps(DDP.id, 0, 3, [1.0], at=3.0))
    assert run.throughput.last == pytest.approx(100)


def test_steps_are_counted_and_lost_metrics_too() -> None:
    session = begun(
        steps(SINGLE.id, 0, 0, [0.1] * 4, at=1.0),
        MetricsLost(at=1.5, run=SINGLE.id, rank=0, steps=6),
        steps(SINGLE.id, 0, 10, [0.1] * 2, at=2.0),
    )
    rank = session.runs[SINGLE.id].ranks[0]
    assert (rank.steps, rank.samples, rank.lost_steps, rank.last_at) == (12, 600, 6, 2.0)
    assert [bucket.x for bucket in rank.step_seconds.buckets()] == [0, 1, 2, 3, 10, 11]


def test_a_window_is_everyones_samples_over_the_slowest_ranks_seconds() -> None:
    session = begun(window(DDP.id, 0, 0, 0.5), window(DDP.id, 0, 1, 0.5), window(DDP.id, 1, 0, 0.8))
    run = session.runs[DDP.id]
    assert len(run.windows) == 2
    (complete,) = run.complete_windows
    assert (complete.index, complete.samples, complete.seconds, complete.ranks) == (0, 200, 0.8, 2)
    assert complete.throughput == pytest.approx(250)


def test_thousands_of_windows_are_added_up_without_changing_the_throughput() -> None:
    session = begun()
    run = session.runs[DDP.id]
    count = 5 * MOST_WINDOWS
    total = 0.0
    for index in range(count):
        slow = 0.5 + index % 7 / 10
        total += slow
        for rank in (0, 1):
            session.apply(window(DDP.id, rank, index, slow if rank == index % 2 else 0.4))
    assert len(run.complete_windows) <= MOST_WINDOWS
    assert len(run.ranks[0].windows) <= MOST_WINDOWS
    assert sum(w.samples for w in run.complete_windows) == 200 * count
    assert sum(w.steps for w in run.complete_windows) == count
    assert sum(w.seconds for w in run.complete_windows) == pytest.approx(total)
    assert [w.index for w in run.complete_windows] == sorted(w.index for w in run.complete_windows)


def test_windows_that_were_added_up_are_of_one_length() -> None:
    session = begun()
    run = session.runs[DDP.id]
    for index in range(10_003):
        for rank in (0, 1):
            session.apply(window(DDP.id, rank, index, 0.5))
    assert run.window_length == 4
    assert len(run.complete_windows) == 10_003 // 4
    assert {(w.steps, w.samples, w.seconds) for w in run.complete_windows} == {(4, 800, 2.0)}
    assert [w.index for w in run.complete_windows] == list(range(0, 10_000, 4))
    # What is left makes no whole one; it is not lost.
    assert sum(w.samples for w in run.windows) == 200 * 10_003
    assert sum(w.samples for w in run.ranks[1].windows) == 100 * 10_003
    assert run.ranks[1].measured_seconds == pytest.approx(0.5 * 10_003)


def test_windows_that_some_rank_never_reports_stay_bounded() -> None:
    session = begun()
    for index in range(2 * MOST_WINDOWS):
        session.apply(window(DDP.id, 0, index, 0.5))
    run = session.runs[DDP.id]
    assert run.complete_windows == []
    assert len(run.windows) <= MOST_WINDOWS
    session.apply(window(DDP.id, 1, 2 * MOST_WINDOWS - 1, 0.5))
    assert len(run.complete_windows) == 1


def test_progress_by_measured_time() -> None:
    session = begun()
    run = session.runs[SINGLE.id]
    assert run.progress is None
    session.apply(RunStarted(at=0.0, run=SINGLE.id))
    assert run.progress == 0.0
    session.apply(window(SINGLE.id, 0, 0, 2.5))
    assert run.progress == pytest.approx(0.25)
    for index in range(1, 9):
        session.apply(window(SINGLE.id, 0, index, 2.5))
    assert run.progress == 1.0


def test_progress_by_epochs_is_that_of_the_rank_behind() -> None:
    session = begun(RunStarted(at=0.0, run=DDP.id), built(0), built(1))
    run = session.runs[DDP.id]
    session.apply(steps(DDP.id, 0, 0, [0.1] * 15, at=1.0))
    session.apply(steps(DDP.id, 1, 0, [0.1] * 10, at=1.0))
    assert run.progress == pytest.approx(10 / 20)


def test_evaluations_by_rank() -> None:
    event = next(event for event in EVENTS if isinstance(event, Evaluation))
    run = begun(event).runs[DDP.id]
    assert list(run.evaluations[0]) == [event]


def test_what_a_gpu_does_not_support_is_left_out() -> None:
    session = begun()
    for at in (1.0, 2.0):
        sample = GpuSample(index=3, utilization=40.0 * at, power_watts=None, memory_used_bytes=0)
        session.apply(Sampled(at=at, gpus=[sample], cpu=CPU_SAMPLE))
    gpu = session.gpus[3]
    assert [bucket.mean for bucket in gpu.utilization.buckets()] == [40.0, 80.0]
    assert [bucket.mean for bucket in gpu.memory.buckets()] == [0.0, 0.0]
    assert gpu.power.buckets() == []
    assert gpu.last.utilization == 80.0
    assert session.cpu.busy.last == 75.0
    assert session.cpu.session.last == 90.0


def test_the_pcie_link_that_a_gpu_lowers_while_idle() -> None:
    session = begun()
    for at, generation in enumerate((1, 4, 4, None, 1)):
        sample = GpuSample(index=0, pcie_generation=generation, pcie_width=8)
        session.apply(Sampled(at=float(at), gpus=[sample], cpu=CPU_SAMPLE))
    generations = session.gpus[0].pcie_generation
    assert max(bucket.high for bucket in generations.buckets()) == 4
    assert (generations.points, session.gpus[0].pcie_width.last) == (4, 8)


def test_events_of_unknown_runs_are_ignored() -> None:
    session = begun(
        RunStarted(at=1.0, run="nobody"),
        window("nobody", 0, 0, 1.0),
        RunFinished(at=2.0, run="nobody", outcome="measured"),
    )
    assert session.current is None
    assert "nobody" not in session.runs


def size_of(thing: object, seen: set[int]) -> int:
    """Bytes of everything reachable from a session's state."""
    if id(thing) in seen or isinstance(thing, (type, ModuleType)):
        return 0
    seen.add(id(thing))
    children: list[object] = []
    if isinstance(thing, dict):
        children += [*thing.keys(), *thing.values()]
    elif hasattr(thing, "__iter__") and not isinstance(thing, (str, bytes)):
        children += list(thing)
    children += list(getattr(thing, "__dict__", {}).values())
    children += [getattr(thing, name) for name in getattr(type(thing), "__struct_fields__", ())]
    return sys.getsizeof(thing) + sum(size_of(child, seen) for child in children)


@pytest.mark.slow
def test_a_session_ten_times_as_long_takes_no_more_memory() -> None:
    def size_after(messages: int) -> int:
        session = begun(RunStarted(at=0.0, run=DDP.id))
        for i in range(messages):
            for rank in (0, 1):
                session.apply(steps(DDP.id, rank, 20 * i, [0.01] * 20, at=float(i)))
                session.apply(window(DDP.id, rank, i, 0.5))
            session.apply(Sampled(at=float(i), gpus=[GpuSample(index=0, utilization=1.0)], cpu=CPU_SAMPLE))
            session.apply(LogMessage(at=float(i), level="info", text="again"))
        return size_of(session, set())

    # Lists and curves breathe between half and all of their bound.
    assert size_after(50_000) < 2.2 * size_after(5_000)


def test_reading_a_journal_is_folding_its_events(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for event in EVENTS:
        journal.append(event)
    read, folded = read_session(tmp_path / "journal.jsonl"), fold(EVENTS)
    assert read.elapsed == folded.elapsed
    assert [run.state for run in read.runs.values()] == [run.state for run in folded.runs.values()]
    assert read.runs[DDP.id].ranks[1].failed == folded.runs[DDP.id].ranks[1].failed is not None
    assert list(read.log) == list(folded.log)
    with pytest.raises(FileNotFoundError):
        read_session(tmp_path / "none.jsonl")
