"""Workers that behave, and that misbehave in every way a rank can; a run's id says which."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing.queues import Queue
from pathlib import Path

from gpubench_tui.engine.plan.assignment import Assignment
from gpubench_tui.engine.record.events import (
    Breakdown,
    Event,
    ModelBuilt,
    PhaseChanged,
    RankFailed,
    RankFinished,
    RankMeasured,
    RankStarted,
    Steps,
    Window,
)

TUNED_MODEL = "lenet"
"""Model of the runs that are tuned, whatever their ids."""


class Rank:
    def __init__(self, assignment: Assignment, queues: Sequence[Queue[list[Event]]]) -> None:
        self.rank = int(os.environ["RANK"])
        self.run = assignment.run.id
        self.started = assignment.started
        self.assignment = assignment
        self.queue = queues[self.rank]
        self.steps = 0
        self.say(RankStarted, pid=os.getpid(), device="cpu", settings={})

    def say(self, event: type[Event], /, **fields: object) -> None:
        event = event(at=time.monotonic() - self.started, run=self.run, rank=self.rank, **fields)
        self.queue.put([event])

    def step(self, seconds: float = 0.01) -> None:
        time.sleep(seconds)
        first, self.steps = self.steps, self.steps + 1
        self.say(Steps, first=first, seconds=[seconds], loss=[1.0], samples=[4], learning_rate=[0.1])

    def finish(self, trouble: str = "") -> None:
        self.measure()
        self.say(RankFinished, steps=self.steps, samples=4 * self.steps, detail_trouble=trouble)

    def measure(self) -> None:
        self.say(RankMeasured, stop_reason="enough", peak_memory_bytes=[None], peak_reserved_bytes=[None])


def work(assignment: Assignment, queues: Sequence[Queue[list[Event]]]) -> None:
    rank = Rank(assignment, queues)
    behaviour = assignment.run.id.split("-")[1]
    globals()["tuned" if assignment.run.workload.model == TUNED_MODEL else behaviour](rank)


def flush(rank: Rank) -> None:
    rank.queue.close()
    rank.queue.join_thread()


def unencodable(rank: Rank) -> None:
    """As a model that prints and raises what came from a file name that is not UTF-8."""
    name = os.fsdecode(b"caf\xe9")
    print("reading", name, flush=True)
    rank.say(PhaseChanged, phase="loading data", note=f"reading {name}")
    raise ValueError(f"no class {name}\x1b[2J")


class NamelessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def nameless(rank: Rank) -> None:
    raise NamelessError


def aborting(rank: Rank) -> None:
    """As NCCL's watchdog ends a rank after an error on its GPU."""
    rank.step()
    if rank.rank == 1:
        flush(rank)
        error = "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronous\n"
        print("Loss.cu:245: block: [0,0,0], thread: [5,0,0] Assertion `t < n_classes` failed.")
        print("terminate called after throwing an instance of 'c10::DistBackendError'")
        print(
            "  what():  [PG ID 0 PG GUID 0(default_pg) Rank 1] Process group watchdog thread terminated",
            end="",
        )
        print(f" with exception: {error}\nException raised from c10_cuda_check_implementation", flush=True)
        os.abort()
    time.sleep(600)


def lost(rank: Rank) -> None:
    """Rank 1 is killed in the detail phase, and rank 0 waits for it, as inside a collective of NCCL."""
    rank.step()
    rank.measure()
    both_measured = Path(rank.assignment.rendezvous) / "measured"
    if rank.rank == 1:
        flush(rank)
        while not both_measured.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)  # until the message is in the pipe
    both_measured.touch()
    time.sleep(600)


def troubled(rank: Rank) -> None:
    """Rank 1 gives up its detail phase, and rank 0 waits for it, as inside a collective of NCCL."""
    rank.step()
    if rank.rank == 1:
        rank.finish("out of memory")
    else:
        rank.measure()
        time.sleep(600)


def followed(rank: Rank) -> None:
    """Rank 1 gives up its detail phase, and rank 0 hears of it and does the same."""
    rank.step()
    if rank.rank == 0:
        rank.measure()
        time.sleep(1.0)
    rank.finish("out of memory")


def stuck(rank: Rank) -> None:
    """Rank 1 hangs in the detail phase."""
    rank.step()
    rank.measure()
    while rank.rank == 0:
        rank.step()
    sleep_for_ever()


def behave(rank: Rank) -> None:
    for _ in range(5):
        rank.step()
    rank.finish()


def steady(rank: Rank) -> None:
    """Trains for some seconds."""
    for _ in range(60):
        rank.step(0.1)
    rank.finish()


def tuned(rank: Rank) -> None:
    """Reports a training that waits for half of each step unless its data are resident.

    Loading in advance brings nothing. A batch of 512 does not fit. The figures are made up, and no step is
    taken; they scatter by 1%, from run to run and not by the clock. With LINGERS in the environment, runs of
    that purpose go on until they are stopped.
    """
    attempt = rank.assignment.run.attempt
    if attempt is not None and attempt.purpose == os.environ.get("LINGERS"):
        while True:
            rank.step()
    workload = rank.assignment.run.workload
    if workload.batch > 256:
        rank.say(RankFailed, kind="out of memory", message=f"out of memory with a batch of {workload.batch}")
        flush(rank)
        os._exit(1)
    rank.say(
        ModelBuilt, parameters=1000, unit="images", train_samples=5000, test_samples=100, steps_per_epoch=50
    )
    resident = workload.placement == "device"
    step = workload.batch * (1e-4 if resident else 2e-4) + 1e-3
    rank.say(PhaseChanged, phase="warming up")
    rank.say(PhaseChanged, phase="measuring")
    scatter = random.Random(rank.run)
    steps = round(0.5 / step)
    for index in range(8):
        seconds = steps * step * scatter.uniform(0.995, 1.005)
        rank.say(Window, index=index, steps=steps, samples=steps * workload.batch, seconds=seconds)
    rank.measure()
    if rank.assignment.run.measure.detail:
        parts = {name: [0.0] * 10 for name in ("transfer", "backward", "exposed", "optimizer")}
        shares = {
            "input": [0.0 if resident else step / 2] * 10,
            "forward": [step / (1 + (not resident))] * 10,
        }
        rank.say(Breakdown, step=[step] * 10, **parts, **shares)
    rank.say(RankFinished, steps=8 * steps, samples=8 * steps * workload.batch)


def ddp(rank: Rank) -> None:
    """A real all-reduce over gloo, as the first step."""
    join(rank)
    reduce(rank)
    behave(rank)


def join(rank: Rank, seconds: float = 240) -> None:
    import torch.distributed as dist

    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    world = rank.assignment.run.world_size
    store = dist.FileStore(str(Path(rank.assignment.rendezvous) / "ranks"), world)
    dist.init_process_group(
        "gloo", store=store, rank=rank.rank, world_size=world, timeout=timedelta(seconds=seconds)
    )


def reduce(rank: Rank) -> None:
    import torch
    import torch.distributed as dist

    ones = torch.ones(8)
    dist.all_reduce(ones)
    assert ones[0] == rank.assignment.run.world_size
    rank.step()


def raising(rank: Rank) -> None:
    rank.step()
    if rank.rank == 1:
        raise ValueError("the sky is green")
    time.sleep(600)


def peer(rank: Rank) -> None:
    """Rank 1 is killed; rank 0 notices by its broken connection, as gloo's ranks do."""
    join(rank)
    reduce(rank)
    if rank.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    complain(rank)


def memory(rank: Rank) -> None:
    rank.step()
    if rank.rank == 0:
        rank.say(RankFailed, kind="out of memory", message="out of memory with a batch of 4 per device")
        flush(rank)
        os._exit(1)
    time.sleep(600)


def hanging(rank: Rank) -> None:
    for _ in range(3):
        rank.step()
    while rank.rank == 0:
        rank.say(PhaseChanged, phase="warming up", note=f"waiting {time.monotonic()}")
        time.sleep(0.1)
    sleep_for_ever()


def sleep_for_ever() -> None:
    time.sleep(600)


def halted(rank: Rank) -> None:
    """As in ddp: when one rank is stopped, both fall silent."""
    rank.step()
    if rank.rank == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(600)


def closing(rank: Rank) -> None:
    """Rank 1 closes all files that it did not open, as some libraries do before they start a daemon."""
    rank.step()
    if rank.rank == 1:
        os.closerange(3, 1 << 16)
    sleep_for_ever()


def slip(rank: Rank) -> None:
    """Leaves without a word."""
    print("I have had enough")
    sys.stdout.flush()
    flush(rank)
    os._exit(3)


def abrupt(rank: Rank) -> None:
    """Finishes, but leaves by the back door, so that the elastic agent never hears of it."""
    behave(rank)
    flush(rank)
    os._exit(0)


def cut(rank: Rank) -> None:
    """Rank 1 dies in the middle of a message and leaves a fork behind that holds its pipe open."""
    rank.step()
    if rank.rank == 1:
        pipe = os.dup(rank.queue._writer.fileno())
        flush(rank)
        if os.fork() == 0:
            time.sleep(600)
        os.write(pipe, b"\x00\x01\x00\x00half a message")
        time.sleep(2)  # rank 0 is heard meanwhile
        os.kill(os.getpid(), signal.SIGKILL)
    for _ in range(60):
        rank.step()
    time.sleep(600)


def family(rank: Rank) -> None:
    """Finishes, and leaves a fork and a program behind."""
    if os.fork() == 0:
        time.sleep(600)
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    print("left behind", program.pid)
    behave(rank)


def flood(rank: Rank) -> None:
    """Says far more at once than the queue holds; the queue makes it wait, and nothing is lost."""
    for _ in range(3000):
        rank.step(0)
    rank.finish()


def work_on(rank: Rank) -> None:
    """Trains until it is stopped, with a fork as a loader worker."""
    if os.fork() == 0:
        time.sleep(600)
    while True:
        rank.step(0.05)


def deaf(rank: Rank) -> None:
    """Does not heed SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        rank.step(0.05)


def remains(rank: Rank) -> None:
    """Leaves children that detached themselves in every way, and shared memory, tracked and not."""
    from multiprocessing import resource_tracker, shared_memory

    child = [sys.executable, "-c", "import time; time.sleep(600)"]
    detached = subprocess.Popen(child, start_new_session=True, env={})
    if (middle := os.fork()) == 0:
        os.setsid()
        print("left behind", subprocess.Popen(child).pid, flush=True)
        os._exit(0)
    os.waitpid(middle, 0)
    print("left behind", detached.pid, flush=True)
    program = (
        "import time; from multiprocessing import shared_memory; "
        "m = shared_memory.SharedMemory(create=True, size=1 << 16); print('shared', m.name, flush=True); "
        "time.sleep(600)"
    )
    subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    tracked = shared_memory.SharedMemory(create=True, size=1 << 16)
    untracked = shared_memory.SharedMemory(create=True, size=1 << 16)
    resource_tracker.unregister(f"/{untracked.name}", "shared_memory")
    print("shared", tracked.name)
    print("shared", untracked.name, flush=True)
    log = Path(rank.assignment.logs) / rank.assignment.log_name(rank.rank)
    while log.read_text().count("shared") < 3:
        time.sleep(0.01)
    rank.step()
    if rank.assignment.run.id.endswith("-stay"):
        time.sleep(600)
    rank.finish()


def terminated(rank: Rank) -> None:
    """Rank 1 is sent SIGTERM in the import of its model, and rank 0 waits for it to join."""
    if rank.rank == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    join(rank)


def overfull(rank: Rank) -> None:
    """Rank 1 is sent SIGTERM while it has more to say than is read; rank 0 complains at once."""
    join(rank)
    reduce(rank)
    if rank.rank == 1:
        for _ in range(2000):
            rank.step(0)
        os.kill(os.getpid(), signal.SIGTERM)
    complain(rank)


def complain(rank: Rank) -> None:
    """Wait for the other rank in a collective, and report its loss as one's own failure."""
    try:
        while True:
            reduce(rank)
    except RuntimeError as error:
        rank.say(RankFailed, kind="raised", message=f"RuntimeError: {error}".splitlines()[0])
        flush(rank)
        os._exit(1)


def paused(rank: Rank) -> None:
    """Rank 1 is stopped in the import of its model, and rank 0 waits for it to join."""
    if rank.rank == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    join(rank)


def impatient(rank: Rank) -> None:
    """Rank 1 is stopped, and rank 0 waits for less time than the watchdog."""
    join(rank, seconds=12)
    reduce(rank)
    if rank.rank == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    complain(rank)


def looping(rank: Rank) -> None:
    """Rank 1 loops in its model, and rank 0 waits in a collective; both have taken as many steps."""
    join(rank)
    reduce(rank)
    if rank.rank == 1:
        forward()
    reduce(rank)


def forward() -> None:
    while True:
        pass


def sleeping(rank: Rank) -> None:
    """Rank 0 hangs while it builds its model, and rank 1 waits for it in a collective."""
    join(rank)
    rank.say(PhaseChanged, phase="building model")
    if rank.rank == 0:
        sleep_for_ever()
    reduce(rank)


def astray(rank: Rank) -> None:
    """Each rank waits for the other in a collective of its own."""
    import torch
    import torch.distributed as dist

    join(rank)
    reduce(rank)
    if rank.rank == 1:
        dist.barrier()
    else:
        dist.recv(torch.ones(8), src=1, tag=7)
