"""The figures of the results table: one Result for each configuration of the plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct

from ...record.events import Failure
from ...record.session import RunState, RunStatus, Session
from ...statistics import Interval
from .baseline import Scaling, compare_with_baseline
from .communication import Communication, communication
from .comparable import fingerprint
from .configuration import Configuration, configurations
from .devices import Compute, GpuUse, compute, gpu_uses, others_on_cpus
from .learning import training_outcome
from .notes import notes_on_configuration, replicas_equal
from .phases import Phases, phases
from .side_by_side import ConcurrentTraining, concurrency_gain, parts
from .throughput import peak_memory, summarise_configuration
from .variables import Contrast, contrasts, notes_on


class Result(Struct, frozen=True, kw_only=True):
    """The figures of one configuration of the plan, over one or several repeats."""

    run: str
    """Id of the run, or of its first repeat."""
    label: str
    mode: str
    devices: int
    workload: str
    """Workload name; of concurrent workloads, all names joined by ` + `."""
    batch_per_device: int
    global_batch: int
    state: RunStatus
    reason: str
    """Reason that it was skipped, stopped or failed, one sentence."""
    failure: Failure | None
    stop_reason: str
    """Reason that measuring ended."""

    windows: int
    unit: str
    """Unit of the throughput, in the plural: `images`; `samples` where its ranks differ."""
    throughput: float | None
    """Samples of all ranks over the seconds of the slowest, median over windows, in samples/s.

    None for different concurrent workloads.
    """
    spread: float | None
    """1.4826 times the median absolute deviation over windows, in samples/s."""
    interval: Interval | None
    """95% interval of the throughput, in samples/s; None for fewer than five windows."""
    throughput_per_device: float | None
    step_seconds: float | None
    """Time of one optimizer step, median over windows."""
    repeats: int
    """Number of runs behind these figures."""
    repeat_throughputs: tuple[float, ...]
    """Throughput of each of several repeats, in samples/s. Throughput and step are then geometric means of
    the repeats' medians, and the intervals use Student's t over the repeats."""
    repeat_spread: float | None
    """Greatest throughput of the repeats over the least, minus 1."""

    varied: dict[str, Any]
    """Values of the variables under test, by their keys in the workload."""
    contrasts: tuple[Contrast, ...]
    """Each of these values against the one that it is held against."""
    baseline: str | None
    """Id of the baseline run; None if the plan names none."""
    speedup: float | None
    speedup_interval: Interval | None
    """95% interval, by bootstrap over the windows of both runs; None if one has fewer than five. Over
    several repeats, by Student's t."""
    efficiency: float | None
    """Speedup over the ratio of devices to the baseline's."""
    efficiency_interval: Interval | None
    """95% interval of the efficiency."""
    fingerprint: str | None
    """Digest of settings, workload, GPUs and driver; equal for comparable runs of any sessions."""
    scaling: Scaling | None
    """`weak` if the baseline has the same batch per device, `strong` if it has the same global batch."""

    peak_memory_bytes: int | None
    """Peak memory allocated on any one device; on a CPU, peak resident memory of any one rank."""
    parameters: int | None
    train_samples: int | None
    """Units in the training set."""
    steps_per_epoch: int | None
    """Optimizer steps of an epoch; None where the data have no end."""
    epochs: int | None
    """Number of epochs evaluated."""
    test_accuracy: float | None
    """Accuracy after the last epoch, as a share of 1."""
    best_accuracy: float | None
    """Highest test accuracy after any epoch. As the test set selects it, it is too high for unseen images."""
    test_loss: float | None
    epoch_seconds: float | None
    """Mean training time of an epoch on the slowest rank."""

    replicas_equal: bool | None
    """Whether all ranks of a DDP run ended with bitwise equal parameters; None if not checked."""

    phases: Phases | None
    """Step time by part."""
    communication: Communication | None
    compute: Compute | None
    """Arithmetic, energy and memory."""
    gpus: tuple[GpuUse, ...]
    """Use of each GPU while measured."""
    others_on_cpus: float | None
    """Mean share of the CPUs of its ranks that other programs used while it was measured."""

    parts: tuple[ConcurrentTraining, ...]
    """Trainings of a concurrent run, by rank."""
    concurrency_gain: float | None
    """Sum of the times alone over the longest time side by side."""
    concurrency_gain_interval: Interval | None
    """95% interval, computed like that of the speedup."""
    taken_over: str
    """Name of the earlier session that measured it, or part of its repeats; empty for this session alone."""
    notes: tuple[str, ...]
    """Remarks that a reader needs to interpret the row, one sentence each."""


def results(session: Session, found: Sequence[Configuration]) -> list[Result]:
    """Compute the result of each of the session's configurations."""
    return [compute_result(session, found, configuration) for configuration in found]


def result_of(session: Session, run_id: str) -> Result:
    """Compute the result of one run by itself, apart from its repeats; KeyError for an unknown id."""
    return compute_result(session, configurations(session), Configuration([session.runs[run_id]]))


def compute_result(session: Session, others: Sequence[Configuration], configuration: Configuration) -> Result:
    """Compute the result of one configuration.

    `others`: all configurations of the session, to compare it with.
    """
    run = configuration.representative
    spec, first = run.spec, configuration.spec
    concurrent = spec.mode == "concurrent"
    summary, comparison = (
        summarise_configuration(configuration),
        compare_with_baseline(session, configuration),
    )
    trainings = parts(others, configuration) if concurrent else ()
    gain = concurrency_gain(others, configuration, trainings) if concurrent else None
    outcome = None if concurrent else training_outcome(configuration)
    brought = contrasts(session, configuration)
    ranks = [rank for each in configuration.usable or configuration.runs for rank in each.ranks.values()]
    used = compute(session, configuration, summary.step_seconds)
    return Result(
        run=first.id,
        label=configuration.label if len(configuration.runs) > 1 else spec.label,
        mode=spec.mode,
        devices=spec.device_count,
        workload=" + ".join(dict.fromkeys(workload.title for workload in spec.workloads)),
        batch_per_device=spec.batch_per_device(),
        global_batch=spec.global_batch,
        state=run.state,
        reason=run.reason,
        failure=run.failure,
        stop_reason=run.stop_reason,
        windows=summary.windows,
        unit=run.unit,
        throughput=summary.throughput,
        spread=summary.spread,
        interval=summary.interval,
        throughput_per_device=None if summary.throughput is None else summary.throughput / spec.device_count,
        step_seconds=None if concurrent else summary.step_seconds,
        repeats=max(1, len(summary.repeats)),
        repeat_throughputs=summary.repeats,
        repeat_spread=max(summary.repeats) / min(summary.repeats) - 1 if summary.repeats else None,
        varied=first.varied,
        contrasts=brought,
        baseline=first.baseline,
        speedup=comparison.speedup,
        speedup_interval=comparison.interval,
        efficiency=comparison.efficiency,
        efficiency_interval=comparison.efficiency_interval,
        fingerprint=fingerprint(session, run),
        scaling=comparison.scaling,
        peak_memory_bytes=peak_memory(ranks),
        parameters=None if concurrent else _of_any_rank(run, "parameters"),
        train_samples=None if concurrent else _of_any_rank(run, "train_samples"),
        steps_per_epoch=None if concurrent else _of_any_rank(run, "steps_per_epoch") or None,
        epochs=outcome.epochs if outcome else None,
        test_accuracy=outcome.test_accuracy if outcome else None,
        best_accuracy=outcome.best_accuracy if outcome else None,
        test_loss=outcome.test_loss if outcome else None,
        epoch_seconds=outcome.epoch_seconds if outcome else None,
        replicas_equal=replicas_equal(configuration),
        phases=phases(configuration, summary.step_seconds),
        communication=communication(session, others, configuration, summary.step_seconds),
        compute=used,
        gpus=gpu_uses(session, configuration),
        others_on_cpus=others_on_cpus(session, configuration),
        parts=trainings,
        concurrency_gain=gain.value if gain else None,
        concurrency_gain_interval=gain.interval if gain else None,
        taken_over=", ".join(
            dict.fromkeys(each.taken_over for each in configuration.runs if each.taken_over)
        ),
        notes=(
            *notes_on_configuration(configuration, used),
            *comparison.notes,
            *notes_on(session, first, brought),
            *(gain.notes if gain else ()),
        ),
    )


def _of_any_rank(
    run: RunState, name: Literal["parameters", "train_samples", "steps_per_epoch"]
) -> int | None:
    """Return what the first rank that has told it says; all ranks of a training say the same."""
    told: Iterator[int | None] = (getattr(rank, name) for rank in run.ranks.values())
    return next((value for value in told if value is not None), None)
