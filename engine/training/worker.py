"""The life of a rank: it sets itself up, measures, reports, and says so when it fails."""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing.queues import Queue
from pathlib import Path
from typing import NoReturn

from ..host.process import print_error
from ..plan.assignment import Assignment
from ..plan.plan import RunSpec
from ..plan.workload.user_code import user_code_of
from ..record.events import ModelBuilt, RankEvent, RankMeasured
from .detail.compute import report_compute
from .detail.detail_phase import Detail
from .device.claim import claim_devices
from .device.cpu import CpuDevices
from .device.devices import RankDevices
from .ending import Ending, leave
from .errors import TrainingError, kind_of, sentence_of
from .measure import Measurement
from .models.image_sizes import advice_on_images
from .parallel.sharding import pieces_of
from .precision import SIXTEEN_BITS
from .rank import Rank
from .reporter import Reporter
from .setup import set_up, settings_of
from .trainer import Trainer
from .trainings.choice import training_of
from .trainings.training import Batches, Training, share_of
from .wrapping.compiling import CompileHeartbeat
from .wrapping.dynamo import compiled_graphs


def work(assignment: Assignment, queues: Sequence[Queue[list[RankEvent]]]) -> None:
    """Do one rank's part of a run, and report over its own one of the `queues`; `RANK` is its number.

    The process must be in order: output redirected, foreign ends of the queues closed. Ends the process when
    all is done and sent, with status 0; a failure is reported too, with status 1.
    """
    run, index = assignment.run, int(os.environ["RANK"])

    def open_reporter(devices: RankDevices) -> Reporter:
        return Reporter(run.id, index, assignment.started, queues[index], devices)

    reporter: Reporter | None = None
    try:
        devices = claim_devices(run, index)
        reporter = open_reporter(devices)
        run_rank(assignment, set_up(assignment, index, devices, reporter))
    except BaseException as error:  # a user's file may call sys.exit, or raise whatever it likes
        print_error()
        reporter = reporter or open_reporter(CpuDevices())
        reporter.fail(kind_of(error), sentence_for(error, run, index))
        reporter.close()
        leave(1)


def run_rank(assignment: Assignment, rank: Rank) -> NoReturn:
    """Train, measure and report all that a run asks of a rank, then end the process with status 0."""
    reporter = rank.reporter
    training = training_of(rank.workload)
    batches = open_batches(training, assignment, rank)
    # The first collective comes with the model: a rank that took longer to load is waited for here.
    rank.everyone.meet("data", lambda: reporter.phase("loading data", "waiting for other ranks"))
    training.check_alike(rank.team)
    reporter.phase("building model")
    if rank.workload.compile:
        CompileHeartbeat(reporter).start()
    trainer = Trainer(rank.run, rank.index, rank.devices, training, batches, rank.team)
    reporter.send(
        ModelBuilt(
            **reporter.stamp(),
            parameters=trainer.parameters,
            unit=training.unit,
            train_samples=training.sizes[0],
            test_samples=training.sizes[1],
            steps_per_epoch=batches.steps_per_epoch,
            buffer_bytes=trainer.buffer_bytes,
            settings=settings_of(rank.run, rank.index, rank.devices),
            pieces=pieces_of(trainer.plain, rank.workload, SIXTEEN_BITS.get(rank.workload.precision)),
            skipped_images=training.skipped_images(),
        )
    )
    measurement = Measurement(rank, trainer, batches)
    measurement.run()
    reporter.send(measured_event(rank, trainer, measurement))
    ending = Ending(rank)
    if rank.run.measure.detail:
        ending.watch_others()
        try:
            detail = Detail(rank, trainer, batches, measurement.pace)
            detail.run()
            report_compute(rank, training, detail.take_pass)
        except BaseException as error:  # what was measured stands without it
            print_error()
            ending.end(ending.share(sentence_for(error, rank.run, rank.index)))
    ending.end("")


def sentence_for(error: BaseException, run: RunSpec, index: int) -> str:
    """Return one sentence on an error of a rank, with its place in the user's own code."""
    workload, batch = run.workload_of(index), run.batch_per_device(index)
    sentence = sentence_of(error, batch, user_code_of(workload))
    refusal = isinstance(error, RuntimeError | ValueError | AssertionError) and kind_of(error) == "raised"
    advice = advice_on_images(workload, batch) if refusal else ""
    return f"{sentence}; {advice}" if advice else sentence


def open_batches(training: Training, assignment: Assignment, rank: Rank) -> Batches:
    """Open a training's data, and prepare this rank's batches of them."""

    def loading(note: str) -> None:
        rank.reporter.phase("loading data", note)

    loading("")
    share = share_of(rank.run, rank.index, rank.devices, Path(assignment.cache))
    batches = training.open(share, loading)
    if rank.run.measure.epochs and not batches.steps_per_epoch:
        raise TrainingError(
            "epochs need batches with an end: let batches() return something that has a length, such as a "
            "list or a DataLoader, or set measure.epochs = 0"
        )
    return batches


def measured_event(rank: Rank, trainer: Trainer, measurement: Measurement) -> RankMeasured:
    """Return the event that completes a rank's measurement, with its memory and energy."""
    allocated, reserved = rank.devices.peaks()
    compared = rank.run.mode == "ddp" and rank.run.world_size > 1
    return RankMeasured(
        **rank.reporter.stamp(),
        stop_reason=measurement.stop_reason,
        peak_memory_bytes=allocated,
        peak_reserved_bytes=reserved,
        settled=measurement.settled,
        replicas_equal=trainer.replicas_equal() if compared else None,
        allocator_retries=rank.devices.allocator_retries(),
        energy_joules=measurement.energy.joules,
        energy_samples=measurement.energy.samples,
        compiled_graphs=compiled_graphs() if rank.workload.compile else None,
        replaced_images=trainer.training.replaced_images(),
    )
