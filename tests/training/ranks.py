"""Ranks for the tests: real processes, started as the session process starts them, with real queues."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Any, TypeVar

import psutil
import torch
from gpubench_tui.engine.conductor.processes.fork_server import start_fork_server
from gpubench_tui.engine.conductor.rank_entry import close_end, enter
from gpubench_tui.engine.plan.assignment import Assignment
from gpubench_tui.engine.plan.plan import Device, RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure, Mode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import RankEvent
from gpubench_tui.engine.training.device.claim import claim_devices
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.parallel.modes import TOGETHER
from gpubench_tui.engine.training.trainer import Trainer
from gpubench_tui.engine.training.trainings.choice import training_of
from gpubench_tui.engine.training.trainings.training import share_of
from torch.distributed.tensor import DTensor

T = TypeVar("T")
PATIENCE = 240.0
"""Seconds after which ranks are taken for hung; each run here takes a few where no other programs run."""
WORKER = "gpubench_tui.engine.training.worker:work"


def cpu_run(
    mode: Mode, devices: int, workload: Workload | Sequence[Workload], measure: Measure | None = None
) -> RunSpec:
    """A run on CPU devices of one core each."""
    cores = sorted(os.sched_getaffinity(0))
    return RunSpec(
        id="01-test",
        label="test",
        mode=mode,
        devices=tuple(Device("cpu", i, "cpu", None, (cores[i % len(cores)],)) for i in range(devices)),
        device_count=devices,
        workloads=(workload,) if isinstance(workload, Workload) else tuple(workload),
        measure=measure
        or Measure(detail=0, windows=3, window_seconds=0.1, seconds=0.3, target=0, warmup_steps=2),
    )


@dataclass
class Done:
    """What ranks said, in the order in which they said it, and how they ended."""

    events: list[list[RankEvent]]
    exits: list[int | None]
    log: Path

    @property
    def failed(self) -> bool:
        return any(self.exits)

    def of(self, kind: type[T], rank: int = 0) -> list[T]:
        return [event for event in self.events[rank] if isinstance(event, kind)]


def launch(
    run: RunSpec,
    folder: Path,
    worker: str = WORKER,
    maxsize: int = 256,
    listen: Callable[[Any], bool] = lambda _: True,
    patience: float = PATIENCE,
) -> Done:
    """Run all ranks to their end; `listen` may refuse to take messages for a while by returning False.

    Ranks that take longer than `patience` seconds are taken for hung.
    """
    start_fork_server()
    (folder / "meeting").mkdir(parents=True)
    assignment = Assignment(
        run=run,
        started=time.monotonic(),
        logs=str(folder / "logs"),
        rendezvous=str(folder / "meeting"),
        cache=str(folder / "cache"),
    )
    context = get_context("forkserver")
    queues: list[Queue[Any]] = [context.Queue(maxsize) for _ in range(run.world_size)]
    everyone = range(run.world_size)
    processes = [
        context.Process(target=be_rank, args=(rank, worker, assignment, queues)) for rank in everyone
    ]
    for process in processes:
        process.start()
    # Starting them has handed the queues over; our own writing ends would hide that a rank is gone.
    for queue in queues:
        close_end(queue, "_writer")
    events: list[list[RankEvent]] = [[] for _ in everyone]

    def drain(rank: int) -> None:
        while True:
            try:
                message = queues[rank].get(timeout=0.05) if listen(rank) else time.sleep(0.05)
            except Empty:
                continue
            except EOFError:
                return
            if isinstance(message, list):
                events[rank] += message

    threads = [threading.Thread(target=drain, args=(rank,)) for rank in everyone]
    for thread in threads:
        thread.start()
    # As elastic does: when one has failed, the others are ended.
    latest = time.monotonic() + patience
    while any(process.is_alive() for process in processes):
        if time.monotonic() > latest:
            for process in processes:
                show_stacks(process)
                process.kill()
        elif any(process.exitcode for process in processes):
            for process in processes:
                process.terminate()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    if time.monotonic() > latest:
        logs = [file.read_text() for file in (folder / "logs").iterdir()]
        raise TimeoutError("\n".join(["the ranks hung", *logs]))
    exits = [process.exitcode for process in processes]
    return Done(events, exits, folder / "logs" / assignment.log_name(0))


def show_stacks(process: BaseProcess) -> None:
    """Have a rank and its loader workers write to the rank's log where they stand."""
    if process.is_alive() and process.pid:
        family = psutil.Process(process.pid)
        for member in (family, *family.children(recursive=True)):
            member.send_signal(signal.SIGUSR1)
        time.sleep(0.3)


def be_rank(rank: int, worker: str, assignment: Assignment, queues: Sequence[Queue[Any]]) -> None:
    os.environ["RANK"] = str(rank)
    enter(worker, assignment, queues)


STEPS = 4


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A copy, of all ranks' shards together where a tensor is in shards."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor.clone()


def take_steps(assignment: Assignment, queues: Sequence[Queue[Any]]) -> None:
    """A worker that takes a few steps and saves the gradients of each and the weights after all."""
    run, rank = assignment.run, int(os.environ["RANK"])
    devices = claim_devices(run, rank)
    folder = Path(assignment.rendezvous)
    group = Group()
    if run.mode in TOGETHER:
        group = Group.join(folder, rank, run.world_size, "gloo", 240)
    workload = run.workload_of(rank)
    training = training_of(workload)
    batches = training.open(share_of(run, rank, devices, folder), print)
    trainer = Trainer(run, rank, devices, training, batches, group)
    gradients: list[list[torch.Tensor]] = []

    def keep(optimizer: torch.optim.Optimizer, _args: object, _kwargs: object) -> None:
        gradients.append([whole(p.grad) for p in optimizer.param_groups[0]["params"]])

    trainer.optimizer.register_step_pre_hook(keep)
    stream = batches.train(0, None)
    passes = workload.accumulate
    losses = [float(trainer.step(next(stream), islice(stream, passes - 1))) for _ in range(STEPS)]
    weights = [whole(p.detach()) for p in trainer.plain.parameters()]
    evaluated = trainer.evaluate(print)
    equal = trainer.replicas_equal() if run.mode == "ddp" else None
    saved = {"gradients": gradients, "weights": weights, "losses": losses}
    torch.save(saved | {"evaluated": evaluated, "equal": equal}, folder / f"rank{rank}.pt")
    os._exit(0)
