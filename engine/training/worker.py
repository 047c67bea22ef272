"""What a rank does, once its process is in order: set up, measure, report, and say so when it fails."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from multiprocessing.queues import Queue
from pathlib import Path
from typing import NoReturn

import torch

from ..plan.assignment import Assignment
from ..record.events import ModelBuilt, RankEvent, RankFailed, RankFinished, RankStarted
from .compute import report_compute
from .data import make_batches
from .datasets import open_data
from .detail import Detail
from .errors import kind_of, sentence_of
from .group import Group
from .measure import Measurement
from .memory import allocator_retries, peak
from .parallel import TOGETHER, backend_for, own_batch, own_shard
from .precision import SIXTEEN_BITS
from .reporter import Reporter
from .setup import claim_devices, describe, seed_everything, set_switches, settings_of
from .sharding import pieces_of
from .timing import Clock, HostClock, clock_for
from .trainer import Trainer

PATIENCE = 2.0
"""Times `measure.hang_seconds` that a message between ranks may take: the watchdog should be faster."""


def work(assignment: Assignment, queues: Sequence[Queue[list[RankEvent]]]) -> None:
    """Do one rank's part of a run, reporting over its own of the `queues`; `RANK` says which rank it is.

    The process must have been put in order before: output redirected, foreign ends of the queues closed.
    Ends the process when all is done and sent, with status 0; a failure is reported too, with status 1.
    """
    run, rank = assignment.run, int(os.environ["RANK"])

    def open_reporter(clock: Clock) -> Reporter:
        return Reporter(run.id, rank, assignment.started, queues[rank], clock)

    reporter: Reporter | None = None
    try:
        devices = claim_devices(run, rank)
        reporter = open_reporter(clock_for(devices))
        run_rank(assignment, rank, devices, reporter)
    except Exception as error:
        traceback.print_exc()
        reporter = reporter or open_reporter(HostClock())
        message = sentence_of(error, run.batch_per_device(rank))
        reporter.fail(
            RankFailed(at=reporter.now(), run=run.id, rank=rank, kind=kind_of(error), message=message)
        )
        reporter.close()
        leave(1)


def leave(status: int) -> NoReturn:
    """End the process as it is.

    An orderly exit takes a second, waits for ranks that are lost, and takes gloo's process group apart, which
    joins a thread that may be waiting for the interpreter's lock while we hold it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run_rank(
    assignment: Assignment, rank: int, devices: Sequence[torch.device], reporter: Reporter
) -> NoReturn:
    """From the first word to the last of a rank that meets no trouble; leaves with all still in place."""
    run = assignment.run
    workload = run.workload_of(rank)
    backend = backend_for(run.devices) if run.world_size > 1 or run.mode in TOGETHER else "none"
    set_switches(workload)
    seed_everything(workload.seed)
    reporter.send(
        RankStarted(
            at=reporter.now(),
            run=run.id,
            rank=rank,
            pid=os.getpid(),
            device=describe(devices),
            settings=settings_of(run, rank, devices, backend),
        )
    )
    everyone = Group()
    if backend != "none":
        patience = max(60.0, PATIENCE * run.measure.hang_seconds)
        everyone = Group.join(Path(assignment.rendezvous), rank, run.world_size, backend, patience)
    team = Group() if run.mode == "concurrent" else everyone

    def loading(note: str) -> None:
        reporter.phase("loading data", note)

    loading("")
    sets = open_data(workload, Path(assignment.cache), loading)
    workers = workload.loader_workers // run.world_size
    batches = make_batches(
        sets, workload, own_shard(run, rank), own_batch(run, rank), devices[0], workers, loading
    )
    # The first collective comes with the model: whoever took longer with its data is waited for here.
    everyone.meet("data", lambda: loading("waiting for other ranks"))
    reporter.phase("building model")
    trainer = Trainer(run, rank, devices, batches, team)
    reporter.send(
        ModelBuilt(
            at=reporter.now(),
            run=run.id,
            rank=rank,
            parameters=trainer.parameters,
            train_images=len(sets[0]),
            test_images=len(sets[1]),
            steps_per_epoch=batches.steps_per_epoch,
            buffer_bytes=trainer.buffer_bytes,
            pieces=pieces_of(trainer.plain, SIXTEEN_BITS.get(workload.precision)),
        )
    )
    measurement = Measurement(run, devices, trainer, batches, everyone, team, reporter)
    reason = measurement.run()
    allocated, reserved = peak(devices)
    retries = allocator_retries(devices)
    equal = trainer.replicas_equal() if run.mode == "ddp" and run.world_size > 1 else None
    trouble = ""
    if run.measure.detail:
        try:
            Detail(run, trainer, batches, everyone, team, reporter, measurement.pace).look()
            report_compute(run, rank, devices, everyone, reporter)
        except Exception as error:  # what was measured stands without it
            traceback.print_exc()
            trouble = sentence_of(error, run.batch_per_device(rank))
    reporter.phase("finishing")
    reporter.send(
        RankFinished(
            at=reporter.now(),
            run=run.id,
            rank=rank,
            steps=reporter.steps,
            samples=reporter.samples,
            stop_reason=reason,
            peak_memory_bytes=allocated,
            peak_reserved_bytes=reserved,
            settled=measurement.settled,
            detail_trouble=trouble,
            replicas_equal=equal,
            allocator_retries=retries,
            energy_joules=measurement.energy.joules,
            energy_samples=measurement.energy.samples,
        )
    )
    reporter.close()
    leave(0)
