"""Who is to blame: judged from what ranks said and how they ended."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Literal

import pytest
from gpubench_tui.engine.conductor.watchdog import Hang, RunWatch, describe_hang, last_line
from gpubench_tui.engine.plan.preset import Mode, Placement
from gpubench_tui.engine.record.events import PhaseChanged, RankFailed, RankFinished, RankStarted, Steps
from msgspec.structs import replace

from .conftest import run_spec

NOWHERE = [Path("/nonexistent")] * 4
NEVER = float("inf")


def watch(ranks: int = 2, hang: float = 60.0) -> RunWatch:
    over = RunWatch.over(run_spec(0, "test", ranks=ranks, hang=hang))
    for rank in range(ranks):
        over.appear(rank, 1000 + rank)
        over.hear(rank, [RankStarted(at=0.1, run="r", rank=rank, pid=1000 + rank, device="cpu", settings={})])
    return over


def failed(rank: int, at: float, message: str) -> RankFailed:
    return RankFailed(at=at, run="r", rank=rank, kind="raised", message=message)


def steps(rank: int, first: int, count: int, at: float) -> Steps:
    ones = [1.0] * count
    return Steps(
        at=at, run="r", rank=rank, first=first, seconds=ones, loss=[None], samples=[1], learning_rate=ones
    )


@pytest.mark.parametrize(
    "complaint",
    [
        "RuntimeError: [../third_party/gloo/pair.cc:534] Connection closed by peer [127.0.0.1]:2048",
        "DistBackendError: NCCL error: remote process exited or there was a network error",
        "another rank went away (RuntimeError: Connection reset by peer)",
        "RuntimeError: [../gloo/transport/pair.cc:525] Read error [127.0.0.1]:8461: Connection reset by peer",
        "RuntimeError: [../gloo/transport/tcp/pair.cc:550] Application timeout caused pair closure",
        "DistBackendError: [Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7)",
    ],
)
def test_a_peers_complaint_is_not_the_cause(complaint: str) -> None:
    over = watch()
    over.hear(0, [failed(0, 4.9, complaint)])  # told before the death of the other was noticed
    over.ranks[1].ended = over.ranks[0].ended = 5.0
    cause = over.cause(0.0, {1001: -signal.SIGKILL, 1000: 1}, NOWHERE, NEVER)
    assert (cause.kind, cause.rank) == ("killed", 1)


@pytest.mark.parametrize(
    "error",
    [
        "AcceleratorError: CUDA error: peer access is not supported between these two devices",
        "AcceleratorError: CUDA error: peer mapping resources exhausted",
        "OSError: [Errno 28] write error: No space left on device",
    ],
)
def test_an_error_that_only_sounds_like_a_lost_peer_is_the_cause(error: str) -> None:
    over = watch()
    over.hear(0, [failed(0, 4.9, error)])
    over.ranks[1].ended = over.ranks[0].ended = 5.0
    assert over.cause(0.0, {1001: 1, 1000: 1}, NOWHERE, NEVER).message == error


def test_of_several_failures_the_first_is_the_cause() -> None:
    over = watch()
    over.hear(0, [failed(0, 7.0, "TypeError: no such model")])
    over.hear(1, [failed(1, 6.0, "ValueError: the data is empty")])
    assert over.cause(0.0, {}, NOWHERE, NEVER).rank == 1


def test_one_that_complains_of_its_peer_is_the_cause_if_nobody_else_failed() -> None:
    over = watch()
    over.hear(0, [failed(0, 7.0, "RuntimeError: Connection reset by peer")])
    over.ranks[0].ended, over.ranks[1].ended = 7.1, 7.2
    # Elastic ended rank 1 because of rank 0.
    assert over.cause(0.0, {1001: -signal.SIGTERM}, NOWHERE, NEVER).rank == 0
    # Rank 1 was killed as a survivor.
    assert over.cause(0.0, {1001: -signal.SIGKILL}, NOWHERE, 7.15).rank == 0


def test_a_rank_that_ends_without_a_word_is_described_by_its_exit(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("loading\nit is full\n\n")
    over = watch(ranks=1)
    over.ranks[0].ended = 3.0
    assert over.broken
    cause = over.cause(0.0, {1000: 3}, [log], NEVER)
    assert cause.kind == "raised"
    assert cause.message == "ended with status 3 before it had finished; last line of its log: it is full"
    over.ranks[0].started = False
    assert over.cause(0.0, {1000: 3}, [log], NEVER).kind == "launch"
    assert over.cause(0.0, {1000: -signal.SIGSEGV}, [log], NEVER).message == "killed by SIGSEGV"


def test_a_rank_that_goes_on_is_not_taken_for_hung() -> None:
    over = watch(hang=0.2)
    for _ in range(4):
        time.sleep(0.1)
        over.hear(0, [steps(0, 0, 1, 1.0)])
        over.hear(1, [PhaseChanged(at=1.0, run="r", rank=1, phase="loading data", note="40%")])
        assert over.hang(lambda _: False) is None


def test_of_those_that_fell_silent_together_the_one_with_fewest_steps_hangs() -> None:
    over = watch(ranks=3, hang=0.2)
    over.hear(0, [steps(0, 0, 8, 5.0)])
    over.hear(1, [steps(1, 0, 7, 5.1)])
    over.hear(2, [steps(2, 0, 8, 4.9)])
    time.sleep(0.25)
    hang = over.hang(lambda _: False)
    assert (hang.rank, hang.steps) == (1, 7)
    assert over.hang(lambda pid: pid == 1002).rank == 2


def test_those_that_finished_or_never_appeared_do_not_hang() -> None:
    over = watch(hang=0.1)
    finished = RankFinished(at=1.0, run="r", rank=0, steps=1, samples=1)
    over.hear(0, [finished])
    over.ranks[1].pid = None
    time.sleep(0.15)
    assert over.hang(lambda _: False) is None
    assert not over.finished
    assert not over.broken


def test_silence_proves_nothing_when_nobody_listened() -> None:
    over = watch(hang=1.0)
    for watched in over.ranks.values():
        watched.heard -= 100
    over.looked -= 100
    assert over.hang(lambda _: False) is None


def test_the_place_of_a_hang_is_read_from_the_stacks(tmp_path: Path) -> None:
    hang, log = Hang(rank=0, seconds=61.2, steps=7), tmp_path / "log"
    assert describe_hang(hang, log) == "no progress for 61 s after 7 steps"
    log.write_text(
        'Thread 0x00007f (most recent call first):\n  File "/lib/threading.py", line 327 in wait\n\n'
        'Current thread 0x00007e (most recent call first):\n  File "/home/me/net.py", line 12 in forward\n'
    )
    assert describe_hang(hang, log) == "no progress for 61 s after 7 steps, in forward (net.py:12)"


def test_the_last_line_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) is None
    log.write_bytes(b"one\ntwo \xff\n  \n")
    assert last_line(log) == "two \ufffd"


@pytest.mark.parametrize("mode", ["ddp", "concurrent"])
def test_ranks_that_wait_for_one_that_compiles_do_not_hang(mode: Mode) -> None:
    over = watch(hang=0.2)
    over.spec = replace(over.spec, mode=mode)
    for _ in range(4):
        time.sleep(0.1)
        note = f"compiling the model, {time.monotonic()} s"
        over.hear(1, [PhaseChanged(at=1.0, run="r", rank=1, phase="warming up", note=note, compiling=True)])
    hang = over.hang(lambda _: False)
    assert (hang and hang.rank) == (0 if mode == "concurrent" else None)


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
    assert over.hang(lambda _: False) is None
    silence(over, 35)
    hang = over.hang(lambda _: False)
    assert hang is not None
    assert hang.steps == 10


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
    assert over.hang(lambda pid: halted and pid == 1001) is None
    silence(over, 130)
    hang = over.hang(lambda pid: halted and pid == 1001)
    assert hang is not None
    assert hang.rank == (1 if halted else 0)


def test_a_silence_at_the_start_may_take_all_its_time() -> None:
    over = on_gpus()
    over.ranks[0].steps = over.ranks[1].steps = 9
    silence(over, 110)
    assert over.hang(lambda _: False) is None


def test_a_rank_whose_messages_wait_for_the_disk_is_not_silent() -> None:
    over = on_gpus()
    silence(over, 35)
    for rank in over.ranks:
        over.excuse(rank)
    assert over.hang(lambda _: False) is None
