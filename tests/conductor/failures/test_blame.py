"""Who is to blame: judged from what ranks said, how they ended, and what their processes showed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from gpubench_tui.engine.conductor.failures.blame import (
    BUSY,
    Cause,
    Ends,
    cause_of_failure,
    cause_of_silence,
    one_of,
)
from gpubench_tui.engine.conductor.failures.evidence import Observations
from gpubench_tui.engine.conductor.failures.stacks import last_line, read_stacks
from gpubench_tui.engine.conductor.failures.watchdog import RunWatch
from gpubench_tui.engine.conductor.processes.parentage import is_stopped
from gpubench_tui.engine.plan.workload.workload import Workload
from msgspec.structs import replace

from .watching import NOWHERE, failed, steps, watch

NO_EVIDENCE = Observations(NOWHERE)
KILLED, TERMINATED = -signal.SIGKILL, -signal.SIGTERM

COMPLAINT = "RuntimeError: [../gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:2048"
TIMEOUT = "RuntimeError: [../gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 60000ms for recv"

STACKS = {
    "all-reduce": [("/venv/lib/torch/distributed/distributed_c10d.py", "all_reduce")],
    "backward": [("/venv/lib/torch/autograd/graph.py", "_engine_run_backward"), ("/me/net.py", "train")],
    "gather": [("/venv/lib/torch/distributed/fsdp/_param.py", "wait"), ("/me/net.py", "decode")],
    "meeting": [("/venv/gpubench_tui/engine/training/parallel/group.py", "meet")],
    "synchronize": [("/venv/lib/torch/cuda/__init__.py", "synchronize")],
    "forward": [("/me/net.py", "forward"), ("/venv/lib/torch/nn/parallel/distributed.py", "forward")],
    "build": [("/usr/lib/python3.11/ssl.py", "read"), ("/me/net.py", "build")],
}
"""Stacks of main threads, innermost frame first."""
SENDER = [("/usr/lib/python3.11/threading.py", "wait"), ("/usr/lib/python3.11/threading.py", "_bootstrap")]
"""Stack of a rank's thread that sends its reports."""
HOOK = [("/me/net.py", "backward"), ("/venv/lib/torch/autograd/function.py", "apply")]
"""Stack of torch's own thread in a user's function, on a GPU."""


def written(main: list[tuple[str, str]], *others: list[tuple[str, str]]) -> str:
    """As faulthandler writes stacks."""
    text = ""
    for title, frames in [*(("Thread 0x00007f2a", other) for other in others), ("Current thread 0x7e", main)]:
        lines = "".join(f'  File "{file}", line 12 in {name}\n' for file, name in frames)
        text += f"{title} (most recent call first):\n{lines}\n"
    return text


def ends(codes: Mapping[int, int], order: Mapping[int, float] | None = None, **fields: object) -> Ends:
    return Ends(codes={1000 + rank: code for rank, code in codes.items()}, times=order or {}, **fields)


def cause(over: RunWatch, ended: Ends, evidence: Observations = NO_EVIDENCE) -> Cause:
    return cause_of_failure(over, ended, evidence, NOWHERE, 0.0)


@pytest.mark.parametrize(
    "complaint",
    [
        COMPLAINT,
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
    found = cause(over, ends({1: KILLED, 0: 1}))
    assert (found.kind, found.rank) == ("killed", 1)


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
    assert cause(over, ends({1: 1, 0: 1})).message == error


def test_of_several_failures_the_first_is_the_cause() -> None:
    over = watch()
    over.hear(0, [failed(0, 7.0, "TypeError: no such model")])
    over.hear(1, [failed(1, 6.0, "ValueError: the data is empty")])
    assert cause(over, ends({})).rank == 1


def test_one_that_complains_of_its_peer_is_the_cause_if_nobody_else_failed() -> None:
    over = watch()
    over.hear(0, [failed(0, 7.0, "RuntimeError: Connection reset by peer")])
    over.ranks[0].ended, over.ranks[1].ended = 7.1, 7.2
    # Elastic ended rank 1 because of rank 0.
    assert cause(over, ends({1: TERMINATED}, {0: 7.1, 1: 7.2}, noticed=[0])).rank == 0
    # Rank 1 was killed as a survivor.
    assert cause(over, ends({1: KILLED}, killed=7.15)).rank == 0


@pytest.mark.parametrize("told", ["", COMPLAINT, "RuntimeError: NCCL Error 2: unhandled system error"])
@pytest.mark.parametrize("known", ["order", "agent"])
def test_sigterm_from_outside_is_told_from_that_of_elastic(told: str, known: str) -> None:
    """Rank 2 goes first; its messages are read last, so that its end is heard of after those of its peers."""
    over = watch(ranks=3)
    if told:
        over.hear(0, [failed(0, 5.1, told)])
    over.ranks[0].ended, over.ranks[1].ended, over.ranks[2].ended = 5.2, 5.3, 9.0
    order = {2: 5.0, 0: 5.2, 1: 5.3} if known == "order" else {}
    if told.endswith("system error") and not order:
        return  # nothing says that it came later
    found = cause(over, ends(dict.fromkeys(range(3), TERMINATED), order, noticed=[2], killed=6.3))
    assert (found.kind, found.rank, found.message) == ("killed", 2, "killed by SIGTERM")


def test_a_rank_that_ends_without_a_word_is_described_by_its_exit(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("loading\nit is full\n\n")
    over = watch(ranks=1)
    over.ranks[0].ended = 3.0
    assert over.broken

    def described(code: int) -> Cause:
        return cause_of_failure(over, ends({0: code}), NO_EVIDENCE, [log], 0.0)

    assert described(3).kind == "raised"
    assert (
        described(3).message == "ended with status 3 before it had finished; last line of its log: it is full"
    )
    over.ranks[0].started = False
    assert described(3).kind == "launch"
    assert described(-signal.SIGSEGV).message == "killed by SIGSEGV"


class Look:
    """Observations on processes that do as a test says."""

    def __init__(self, folder: Path) -> None:
        self.logs = [folder / str(rank) for rank in range(4)]
        self.evidence = Observations(self.logs)
        self.children: dict[int, subprocess.Popen[bytes]] = {}

    def at(self, *shown: str | None, hook: int | None = None) -> Observations:
        """Look at ranks that are stopped, or write the stacks of that name, or nothing."""
        for rank, what in enumerate(shown):
            idle = "import signal, time; signal.signal(signal.SIGUSR1, signal.SIG_IGN); print(flush=True)\n"
            doing = "while True: pass" if what == "computing" else "time.sleep(600)"
            self.children[rank] = subprocess.Popen(
                [sys.executable, "-c", idle + doing], stdout=subprocess.PIPE
            )
            self.children[rank].stdout.readline()
            if what == "stopped":
                self.children[rank].send_signal(signal.SIGSTOP)
                while not is_stopped(self.children[rank].pid):
                    time.sleep(0.01)
        pids = {rank: child.pid for rank, child in self.children.items()}
        for rank, pid in pids.items():
            self.evidence.watch_use(rank, pid, silent=True)
        self.evidence.take(pids)
        for rank, what in enumerate(shown):
            stacks = STACKS.get("backward" if what == "computing" else what or "")
            if stacks:
                self.logs[rank].write_text(written(stacks, SENDER, *([HOOK] if hook == rank else [])))
        self.evidence.conclude()
        return self.evidence

    def end(self) -> None:
        for child in self.children.values():
            child.kill()
            child.wait()
            child.stdout.close()


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Look]:
    found = Look(tmp_path)
    yield found
    found.end()


def silent(over: RunWatch, evidence: Observations) -> Cause:
    """Judge ranks that have all been silent for 61 s."""
    for watched in over.ranks.values():
        watched.heard -= 61
    found = over.silence(lambda _: False)
    assert found is not None
    return cause_of_silence(over, found, evidence, 0.0)


@pytest.mark.parametrize(
    ("shown", "hook", "who"),
    [
        (["all-reduce", "forward"], None, "rank 1 in forward (net.py:12)"),
        (["build", "meeting"], None, "rank 0 in read (ssl.py:12)"),
        (["backward", "backward", "forward"], None, "rank 2 in forward (net.py:12)"),
        (["backward", "synchronize"], 0, "rank 0 in _engine_run_backward (graph.py:12)"),
        (["forward", "stopped"], None, "rank 1: its process was stopped by a signal"),
        (["all-reduce", None], None, "rank 1"),
        (["all-reduce", "backward"], None, "rank 0 or 1"),
        (["forward", "all-reduce", "build"], None, "rank 0 or 2"),
        (["stopped", "stopped"], None, "rank 0 or 1: its process was stopped by a signal"),
    ],
)
def test_the_rank_that_waits_for_no_other_hangs(
    look: Look, shown: list[str | None], hook: int | None, who: str
) -> None:
    found = silent(watch(ranks=len(shown)), look.at(*shown, hook=hook))
    told = found.sentence.removeprefix(f"{one_of(found.ranks)}: ")
    silence = re.match(r"no progress for \d+ s before the first step", told)
    assert silence is not None
    rest = told[silence.end() :].replace(",", "")
    assert one_of(found.ranks) + rest == who
    assert found.sentence.startswith("rank ") == (len(found.ranks) > 1)


def test_of_a_library_the_line_is_named_from_which_the_user_called_it(look: Look) -> None:
    over = watch()
    own = Workload(model="/me/net.py:build")
    over.spec = replace(over.spec, workloads=(own,))
    assert silent(over, look.at("build", "meeting")).message.endswith(
        ", in build (net.py:12), which called read (ssl.py:12)"
    )


@pytest.mark.parametrize(
    ("unused", "remedy"), [(False, "find_unused_parameters = true"), (True, "same blocks")]
)
def test_ranks_of_fsdp_that_wait_for_each_other_are_told_what_they_must_call(
    look: Look, unused: bool, remedy: str
) -> None:
    over = watch()
    own = Workload(training="/me/net.py", find_unused_parameters=unused)
    over.spec = replace(over.spec, mode="fsdp", workloads=(own,))
    said = silent(over, look.at("all-reduce", "backward")).message
    assert remedy in said and ("find_unused" in said) is not unused


def test_ranks_that_wait_for_each_other_in_different_places_are_told_which(look: Look) -> None:
    over = watch(ranks=3)
    own = Workload(training="/me/net.py")
    over.spec = replace(over.spec, mode="fsdp", workloads=(own,))
    for watched in over.ranks.values():
        over.hear(watched.rank, [steps(watched.rank, 0, 20, 5.0)])
    said = silent(over, look.at("backward", "gather", "gather")).message
    assert (
        "after 20 steps: the ranks wait for each other in different places, rank 0 in train (net.py:12) and "
        "ranks 1-2 in decode (net.py:12); all ranks must call the same blocks of the model, or set"
    ) in said


def test_a_crash_in_native_code_is_named_with_the_line_that_led_to_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("Fatal Python error: Segmentation fault\n\n" + written(STACKS["build"]))
    over = watch(ranks=1)
    own = Workload(model="/me/net.py:build")
    over.spec = replace(over.spec, workloads=(own,))
    over.ranks[0].ended = 5.0
    found = cause_of_failure(over, ends({0: -signal.SIGSEGV}, {0: 5.0}), NO_EVIDENCE, [log], 0.0)
    assert found.message == "killed by SIGSEGV, in build (net.py:12), which called read (ssl.py:12)"


def test_of_ranks_that_all_seem_to_wait_the_one_that_computes_hangs(look: Look) -> None:
    evidence = look.at("backward", "computing")
    deadline = time.monotonic() + 60
    while evidence.use[1] <= BUSY and time.monotonic() < deadline:
        time.sleep(0.05)
        evidence.conclude()
    assert silent(watch(), evidence).rank == 1


def test_steps_tell_only_what_reports_cannot_hide() -> None:
    over = watch(ranks=3)
    for rank, count in enumerate((8, 7, 8)):
        over.hear(rank, [steps(rank, 0, count, 5.0)])
    assert silent(over, NO_EVIDENCE).rank == 1
    over = watch()
    over.hear(0, [steps(0, 0, 800, 5.0, seconds=0.01)])
    over.hear(1, [steps(1, 0, 795, 5.0, seconds=0.01)])
    found = silent(over, NO_EVIDENCE)
    assert found.rank is None
    assert re.fullmatch(r"rank 0 or 1: no progress for \d+ s after 800 steps", found.sentence)


def test_a_rank_that_never_became_ready_is_one_that_others_wait_for(look: Look) -> None:
    over = watch()
    over.ranks[1].entered = False
    assert silent(over, look.at("all-reduce", None)).rank == 1


def test_the_rank_that_fell_silent_long_before_the_others_hangs() -> None:
    over = watch()
    for rank, at in enumerate((9.0, 4.0)):
        over.hear(rank, [steps(rank, 0, 5, at, seconds=0.1)])
    assert silent(over, NO_EVIDENCE).rank == 1


@pytest.mark.parametrize(
    ("complaint", "shown", "rank"),
    [(COMPLAINT, "stopped", 1), (TIMEOUT, "stopped", 1), (TIMEOUT, "forward", 1), (COMPLAINT, "forward", 0)],
)
def test_one_that_complains_of_a_peer_that_is_stopped_or_elsewhere_is_not_the_cause(
    look: Look, complaint: str, shown: str, rank: int
) -> None:
    evidence = look.at("all-reduce", shown)
    over = watch()
    over.hear(0, [failed(0, 5.0, complaint)])
    over.ranks[0].ended, over.ranks[1].ended = 5.1, 6.2
    found = cause(over, ends({0: 1, 1: KILLED}, {0: 5.1, 1: 6.1}, noticed=[0], killed=6.0), evidence)
    assert (found.rank, found.kind) == (rank, "hung" if rank else "raised")


def test_a_process_that_is_about_to_end_has_gone_first(look: Look) -> None:
    """Rank 0 complains as soon as the kernel closes rank 1's sockets, a moment before it is gone."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    look.evidence.take({1: child.pid})
    child.wait()
    over = watch()
    over.hear(0, [failed(0, 5.0, COMPLAINT)])
    over.ranks[0].ended, over.ranks[1].ended = 5.1, 5.2
    found = cause(over, ends({0: 1, 1: TERMINATED}, {0: 5.1, 1: 5.2}, noticed=[0]), look.evidence)
    assert (found.rank, found.kind) == (1, "killed")


def test_the_last_stacks_of_a_log_are_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert read_stacks(log).doing == "unknown"
    log.write_text("Current thread is a word of a user's\n" + written(STACKS["meeting"], SENDER))
    assert read_stacks(log).doing == "waiting"
    size = log.stat().st_size
    assert read_stacks(log, size).doing == "unknown"
    assert read_stacks(log, size + 1).doing == "waiting", "the log was shortened"
    log.write_text(log.read_text() + written(STACKS["build"], SENDER))
    assert [str(frame) for frame in read_stacks(log, size).main] == ["read (ssl.py:12)", "build (net.py:12)"]


def test_the_last_line_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) is None
    log.write_bytes(b"one\ntwo \xff\n  \n")
    assert last_line(log) == "two \ufffd"
