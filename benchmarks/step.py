"""A step of the engine, metrics on, against a bare loop of the same model and data. Target: at most 1.01.

    python benchmarks/step.py

Both loops live in the same ranks and take turns, so that they meet the same machine; on CPUs single has one
core and ddp two. They train one model with one optimizer: two copies of the very same loop differ by up to
3%, depending on where their tensors came to lie. For the same reason freed memory is kept, so that no loop
pays for pages that the other gave back, and ranks are started several times.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import queue as queues
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from gpubench_tui.engine.conductor.listener import RankListener
from gpubench_tui.engine.conductor.recorder import Recorder
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.plan.cells import uses_gpus
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.training.data.datasets import NORMALISATION
from gpubench_tui.engine.training.device.claim import backend_for, claim_devices
from gpubench_tui.engine.training.device.devices import RankDevices
from gpubench_tui.engine.training.measure import Measurement
from gpubench_tui.engine.training.parallel.group import Group
from gpubench_tui.engine.training.parallel.modes import own_batch
from gpubench_tui.engine.training.rank import Rank
from gpubench_tui.engine.training.reporter import Reporter
from gpubench_tui.engine.training.trainer import Trainer
from gpubench_tui.engine.training.trainings.choice import training_of
from gpubench_tui.engine.training.trainings.images import ImageTraining
from gpubench_tui.engine.training.trainings.tokens import TokenTraining
from gpubench_tui.engine.training.trainings.training import share_of
from torch import Tensor, nn

STARTS = 4
"""Times that fresh ranks are started for each run."""
ROUNDS = 30
"""Pairs of turns per start."""
STEPS = 8
"""Steps of each loop in a turn."""
PATIENCE = 60.0
"""Time limit of a message between the ranks, in seconds."""
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
"""Environment that makes glibc keep freed memory."""


def main() -> None:
    os.environ.update(KEEP_MEMORY)
    print(f"{STARTS} x {ROUNDS} pairs of {STEPS} steps; target: a ratio of at most 1.01")
    print(f"{'run':<24}{'engine':>12}{'bare loop':>12}{'ratio':>9}{'95%':>18}")
    for run in planned_runs():
        pairs = [pair for _ in range(STARTS) for pair in measure(run)]
        engine, bare = (statistics.median(side) / STEPS * 1e3 for side in zip(*pairs, strict=True))
        ratios = sorted(a / b for a, b in pairs)
        low, high = (ratios[index] for index in median_ranks(len(ratios)))
        name = f"{run.label}, {run.workload.title}"
        print(
            f"{name:<24}{engine:>9.2f} ms{bare:>9.2f} ms{statistics.median(ratios):>9.3f}"
            f"{low:>9.3f} to {high:.3f}",
            flush=True,
        )


def planned_runs() -> list[RunSpec]:
    """Return the runs to measure: an image classifier and a language model, each alone and under ddp."""
    host = inspect_host()
    classifier = find_preset("quickstart").read([] if uses_gpus(host) else ["workload.images=2000"])
    language = find_preset("gpt2").read(['matrix.modes=["single", "ddp"]', "workload.clip_gradients=none"])
    plans = (make_plan("quickstart", classifier, host), make_plan("gpt2", language, host))
    return [run for plan in plans for run in plan.to_run]


def median_ranks(count: int) -> tuple[int, int]:
    """Return the indices of sorted values that bound the median with 95% confidence (binomial test)."""
    reach = 0.98 * math.sqrt(count)
    return max(0, math.floor(count / 2 - reach)), min(count - 1, math.ceil(count / 2 + reach))


def measure(run: RunSpec) -> list[tuple[float, float]]:
    """Return the seconds of the turns of both loops, engine first, as rank 0 measured them."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(
            Journal(Path(folder) / "journal.jsonl"),
            time.monotonic(),
            lambda: sys.exit("disk full?"),
        )
        answers: Any = context.Queue()
        lines: list[Queue[Any]] = [context.Queue(256) for _ in range(run.world_size)]
        processes: list[BaseProcess] = []
        for rank, queue in enumerate(lines):
            process = context.Process(
                target=rank_process, args=(run, rank, folder, queue, answers), daemon=True
            )
            process.start()
            processes.append(process)
            RankListener(rank, queue, recorder.write, lambda message: None).start()
        return first_answer(answers, processes)


def first_answer(answers: Any, processes: Sequence[BaseProcess]) -> list[tuple[float, float]]:
    """Wait for rank 0's answer for as long as no rank has failed."""
    while True:
        try:
            pairs: list[tuple[float, float]] = answers.get(timeout=1)
            return pairs
        except queues.Empty:
            if any(process.exitcode for process in processes):
                # Over NCCL the others do not notice; their listeners would keep this process alive.
                for process in processes:
                    process.kill()
                sys.exit("a rank failed: its traceback is above")


def rank_process(run: RunSpec, rank: int, folder: str, queue: Queue[Any], answers: Any) -> None:
    devices = claim_devices(run, rank)
    team = Group()
    if run.world_size > 1:
        team = Group.join(Path(folder), rank, run.world_size, backend_for(run.devices), PATIENCE)
    reporter = Reporter(run.id, rank, time.monotonic(), queue, devices)
    training = training_of(run.workload)
    assert isinstance(training, ImageTraining | TokenTraining)
    batches = training.open(share_of(run, rank, devices, Path(folder)), lambda note: None)
    trainer = Trainer(run, rank, devices, training, batches, team)
    measurement = Measurement(Rank(run, rank, devices, team, team, reporter), trainer, batches)
    measurement.warm_up()
    bare = bare_loop(run, rank, trainer, devices, training.sets[0])
    bare(STEPS)
    pairs = []
    for number in range(ROUNDS):
        if number % 2:
            pairs.append((measurement.timed(STEPS), bare(STEPS)))
        else:
            seconds = bare(STEPS)
            pairs.append((measurement.timed(STEPS), seconds))
    if rank == 0:
        answers.put(pairs)
        answers.close()
        answers.join_thread()
    os._exit(0)


def bare_loop(
    run: RunSpec, rank: int, trainer: Trainer, devices: RankDevices, data: Any
) -> Callable[[int], float]:
    """Train in a hand-written loop around the same model, optimizer and data: no engine, no metrics."""
    optimizer, scaler, clock = trainer.optimizer, trainer.scaler, devices.new_clock()
    by_hand = token_losses if run.workload.training == "tokens" else image_losses
    losses = by_hand(run.workload, trainer.model, devices.first, data, own_batch(run, rank))

    def train(steps: int) -> float:
        clock.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            scaler.scale(next(losses)).backward()  # type: ignore[no-untyped-call]
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
        clock.synchronize()
        return time.perf_counter() - start

    return train


def image_losses(
    workload: Workload, model: nn.Module, device: torch.device, images: Any, batch: int
) -> Iterator[Tensor]:
    """Yield the loss of one batch of images after the other, without end."""
    pixels, labels = images.tensor(lambda note: None).to(device), images.labels.to(device)
    mean, deviation = (
        torch.tensor(values, device=device).view(1, 3, 1, 1) * 255 for values in NORMALISATION[workload.data]
    )
    layout = torch.channels_last if workload.channels_last else torch.contiguous_format
    for chosen in cycle(torch.randperm(len(labels)).to(device).split(batch)[:-1]):
        normalised = pixels[chosen].float().sub_(mean).div_(deviation)
        logits = model(normalised.contiguous(memory_format=layout))
        yield F.cross_entropy(logits.float(), labels[chosen])


def token_losses(
    workload: Workload, model: nn.Module, device: torch.device, tokens: Any, batch: int
) -> Iterator[Tensor]:
    """Yield the loss of one batch of sequences after the other, without end."""
    row, length = tokens.read(0, len(tokens)).to(device), workload.sequence_length
    places = torch.arange(length + 1, device=device)
    starts = torch.randperm((len(row) - 1) // length).to(device) * length
    for chosen in cycle(starts.split(batch)[:-1]):
        sequences = row[chosen[:, None] + places].long()
        logits = model(sequences[:, :-1])
        yield F.cross_entropy(logits.flatten(0, 1).float(), sequences[:, 1:].flatten())


if __name__ == "__main__":
    main()
