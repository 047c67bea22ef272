"""The figures of a session's table: one Result for each configuration of the plan, its repeats together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from ...plan.plan import RunSpec
from ...record.events import Failure
from ...record.session import RunState, RunStatus, Session
from ...statistics import Interval
from .baseline import Scaling, compare
from .communication import Communication, communication
from .comparable import fingerprint
from .configuration import configurations, label, usable
from .devices import Compute, GpuUse, compute, gpu_uses
from .learning import learnt_by
from .phases import Phases, phases
from .side_by_side import Part, concurrency_gain, parts
from .throughput import peak_memory, summarise_repeats


class Result(Struct, frozen=True, kw_only=True):
    """One configuration of the plan, measured once or in several repeats: what the table says of it."""

    run: str
    """Id of the run, of the first one where there are repeats."""
    label: str
    mode: str
    devices: int
    workload: str
    """Names joined by ` + ` where several train side by side."""
    batch_per_device: int
    global_batch: int
    state: RunStatus
    reason: str
    """Why it was skipped, stopped or failed, one sentence."""
    failure: Failure | None
    stop_reason: str
    """Why measuring ended."""

    windows: int
    throughput: float | None
    """Samples/s of all ranks over the slowest rank's time, the windows' median.

    None for different workloads side by side.
    """
    spread: float | None
    """1.4826 times the median absolute deviation over windows, samples/s."""
    interval: Interval | None
    """95% interval of that median, samples/s; None for fewer than five windows."""
    throughput_per_device: float | None
    step_seconds: float | None
    """One optimizer step, median over windows."""
    repeats: int
    """Runs whose figures these are."""
    repeat_throughputs: tuple[float, ...]
    """Of each repeat, samples/s, where there are several. The throughput and step are then geometric means of
    the repeats' medians, and the intervals those of Student's t over the repeats."""
    repeat_spread: float | None
    """Greatest over least of them, less 1."""

    baseline: str | None
    """Id of the run it is compared with; None where the plan names none."""
    speedup: float | None
    speedup_interval: Interval | None
    """95%, by bootstrap over the windows of both runs; None where one has fewer than five. Where there are
    several repeats, by Student's t over them."""
    efficiency: float | None
    """Speedup over devices, in units of the baseline's."""
    efficiency_interval: Interval | None
    """95%: the speedup's over devices."""
    fingerprint: str | None
    """Equal for runs that may be compared, of whichever session: of settings, workload, GPUs and driver."""
    scaling: Scaling | None
    """Against the baseline: `weak` where a device's batch is the same, `strong` where the global batch is."""

    peak_memory_bytes: int | None
    """Most memory allocated on any one device; on a CPU the peak resident memory of any one rank."""
    parameters: int | None
    train_images: int | None
    """Images of an epoch."""
    epochs: int | None
    """Epochs evaluated."""
    test_accuracy: float | None
    """After the last epoch, a share of 1."""
    best_accuracy: float | None
    """After the best epoch for the test set: chosen by it, and so too high for images never seen."""
    test_loss: float | None
    epoch_seconds: float | None
    """Mean training time of an epoch on the slowest rank."""

    replicas_equal: bool | None
    """Whether all ranks of a ddp run ended with the same parameters, bit for bit; None where not checked."""

    phases: Phases | None
    """Where a step goes."""
    communication: Communication | None
    compute: Compute | None
    """Arithmetic, energy and memory."""
    gpus: tuple[GpuUse, ...]
    """Each of its GPUs while it was measured."""

    parts: tuple[Part, ...]
    """The trainings of a concurrent run, by rank."""
    concurrency_gain: float | None
    """Sum of the times alone over the longest time side by side."""
    concurrency_gain_interval: Interval | None
    """95%, as the speedup's."""
    notes: tuple[str, ...]
    """What a reader must know before believing the row, one sentence each."""


def results(session: Session) -> list[Result]:
    """A result for each configuration of the plan, in its order."""
    return [result(session, repeats) for repeats in configurations(session)]


def result_of(session: Session, run_id: str) -> Result:
    """The result of one run by itself; KeyError when the plan has none of that id."""
    return result(session, [session.runs[run_id]])


def result(session: Session, repeats: Sequence[RunState]) -> Result:
    """Compute the result of one configuration."""
    run = _speaker(repeats)
    spec, first = run.spec, repeats[0].spec
    concurrent = spec.mode == "concurrent"
    summary, comparison = summarise_repeats(repeats), compare(session, repeats)
    trainings = parts(session, repeats) if concurrent else ()
    gain = concurrency_gain(session, repeats, trainings) if concurrent else None
    taught = None if concurrent else learnt_by(repeats)
    ranks = [rank for each in usable(repeats) or repeats for rank in each.ranks.values()]
    return Result(
        run=first.id,
        label=label(repeats) if len(repeats) > 1 else spec.label,
        mode=spec.mode,
        devices=spec.device_count,
        workload=" + ".join(dict.fromkeys(workload.name or workload.model for workload in spec.workloads)),
        batch_per_device=spec.batch_per_device(),
        global_batch=spec.global_batch,
        state=run.state,
        reason=run.reason,
        failure=run.failure,
        stop_reason=_stop_reason(run),
        windows=summary.windows,
        throughput=summary.throughput,
        spread=summary.spread,
        interval=summary.interval,
        throughput_per_device=None if summary.throughput is None else summary.throughput / spec.device_count,
        step_seconds=None if concurrent else summary.step_seconds,
        repeats=max(1, len(summary.repeats)),
        repeat_throughputs=summary.repeats,
        repeat_spread=max(summary.repeats) / min(summary.repeats) - 1 if summary.repeats else None,
        baseline=first.baseline,
        speedup=comparison.speedup,
        speedup_interval=comparison.interval,
        efficiency=comparison.efficiency,
        efficiency_interval=comparison.efficiency_interval,
        fingerprint=fingerprint(session, run),
        scaling=comparison.scaling,
        peak_memory_bytes=peak_memory(ranks),
        parameters=None if concurrent else _parameters(run),
        train_images=None if concurrent else _train_images(run),
        epochs=taught.epochs if taught else None,
        test_accuracy=taught.test_accuracy if taught else None,
        best_accuracy=taught.best_accuracy if taught else None,
        test_loss=taught.test_loss if taught else None,
        epoch_seconds=taught.epoch_seconds if taught else None,
        replicas_equal=_replicas_equal(repeats),
        phases=phases(repeats),
        communication=communication(session, repeats),
        compute=compute(session, repeats),
        gpus=gpu_uses(session, repeats),
        parts=trainings,
        concurrency_gain=gain.value if gain else None,
        concurrency_gain_interval=gain.interval if gain else None,
        notes=(*_notes(repeats), *comparison.notes, *(gain.notes if gain else ())),
    )


def _stop_reason(run: RunState) -> str:
    measured = (run.ranks[number].measured for number in sorted(run.ranks))
    return next((event.stop_reason for event in measured if event is not None), "")


def _parameters(run: RunState) -> int | None:
    return next((rank.parameters for rank in run.ranks.values() if rank.parameters is not None), None)


def _train_images(run: RunState) -> int | None:
    return next((rank.train_images for rank in run.ranks.values() if rank.train_images is not None), None)


def _replicas_equal(repeats: Sequence[RunState]) -> bool | None:
    ends = (rank.measured for run in repeats for rank in run.ranks.values())
    checked = [end.replicas_equal for end in ends if end is not None and end.replicas_equal is not None]
    return all(checked) if checked else None


def _speaker(repeats: Sequence[RunState]) -> RunState:
    """The repeat whose state is the configuration's: one that runs, was measured, or came nearest to it."""
    for state in ("running", "measured", "stopped", "failed"):
        for run in repeats:
            if run.state == state:
                return run
    return repeats[0]


def _troubles(repeats: Sequence[RunState]) -> list[str]:
    """Return why detail phases ended early, each reason once."""
    found: list[str] = []
    for run in usable(repeats):
        own = [rank.finished.detail_trouble for rank in run.ranks.values() if rank.finished]
        # Where a rank was lost, the others complain only of that.
        found += [run.detail_trouble] if run.detail_trouble else own
    return list(dict.fromkeys(filter(None, found)))


def _never_settled(repeats: Sequence[RunState]) -> bool:
    measured = [rank.measured for run in usable(repeats) for rank in run.ranks.values()]
    return any(event is not None and not event.settled for event in measured)


def _waits_for_the_scaler(spec: RunSpec) -> bool:
    workload, on_gpu = spec.workload, any(device.kind == "cuda" for device in spec.devices)
    return spec.mode == "fsdp" and on_gpu and (workload.optimizer, workload.precision) == ("sgd", "fp16")


def _notes(repeats: Sequence[RunState]) -> Iterator[str]:
    run = _speaker(repeats)
    windows = sum(len(each.complete_windows) for each in usable(repeats))
    if run.state == "stopped" and windows:
        yield f"stopped before it was done, after {windows} windows"
    if run.state == "measured" and not windows:
        yield "no figures: no window was reported by all ranks"
    longest = max((each.window_length for each in usable(repeats)), default=1)
    if longest > 1:
        yield f"its windows are {longest} measured ones each, added up because there were thousands"
    if _waits_for_the_scaler(run.spec):
        yield (
            "in each step the host waits for its GPU: torch has no fused SGD for shards, and the scaler of "
            "fp16 then looks at their gradients first; bf16 needs none, and AdamW is fused"
        )
    if _never_settled(repeats):
        yield "its step time had not settled when warm-up reached its time limit"
    for trouble in _troubles(repeats):
        yield f"the look at where its steps go ended early: {trouble}"
    if _replicas_equal(repeats) is False:
        yield "its ranks ended with different parameters: they did not train one model"
    if run.state == "measured":
        for other in repeats:
            if other.state in ("failed", "stopped", "skipped"):
                why = f" ({other.reason})" if other.reason else ""
                yield f"repeat {other.spec.repeat} of {len(repeats)} does not count: {other.state}{why}"
