"""The figures of a session's table: one Result for each run of the plan."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from ..record.events import Failure
from ..record.session import RunState, RunStatus, Session
from .comparison import Scaling, compare
from .concurrency import Part, concurrency_gain, parts
from .summary import Interval, learnt, peak_memory, run_summary
from .units import percent, rate, ratio


class Result(Struct, frozen=True, kw_only=True):
    """One run of the plan: what the table says of it."""

    run: str
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

    baseline: str | None
    """Id of the run it is compared with; None where the plan names none."""
    speedup: float | None
    speedup_interval: Interval | None
    """95%, by bootstrap over the windows of both runs; None where one has fewer than five."""
    efficiency: float | None
    """Speedup over devices, in units of the baseline's."""
    scaling: Scaling | None
    """Against the baseline: `weak` where a device's batch is the same, `strong` where the global batch is."""

    peak_memory_bytes: int | None
    """Most memory allocated on any one device; on a CPU the peak resident memory of any one rank."""
    parameters: int | None
    epochs: int | None
    """Epochs evaluated."""
    test_accuracy: float | None
    """After the last epoch, a share of 1."""
    test_loss: float | None
    epoch_seconds: float | None
    """Mean training time of an epoch on the slowest rank."""

    replicas_equal: bool | None
    """Whether all ranks of a ddp run ended with the same parameters, bit for bit; None where not checked."""

    parts: tuple[Part, ...]
    """The trainings of a concurrent run, by rank."""
    concurrency_gain: float | None
    """Sum of the times alone over the longest time side by side."""
    notes: tuple[str, ...]
    """What a reader must know before believing the row, one sentence each."""


def results(session: Session) -> list[Result]:
    """A result for each run of the plan, in its order."""
    return [result_of(session, run_id) for run_id in session.runs]


def result_of(session: Session, run_id: str) -> Result:
    """The result of one run; KeyError when the plan has none of that id."""
    run = session.runs[run_id]
    spec = run.spec
    concurrent = spec.mode == "concurrent"
    summary, comparison = run_summary(run), compare(session, run)
    trainings = parts(session, run) if concurrent else ()
    gain = concurrency_gain(run, trainings) if concurrent else None
    taught = None if concurrent or run.state == "failed" else learnt(run, run.ranks)
    return Result(
        run=spec.id,
        label=spec.label,
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
        baseline=spec.baseline,
        speedup=comparison.speedup,
        speedup_interval=comparison.interval,
        efficiency=comparison.efficiency,
        scaling=comparison.scaling,
        peak_memory_bytes=peak_memory(run.ranks.values()),
        parameters=None if concurrent else _parameters(run),
        epochs=taught.epochs if taught else None,
        test_accuracy=taught.test_accuracy if taught else None,
        test_loss=taught.test_loss if taught else None,
        epoch_seconds=taught.epoch_seconds if taught else None,
        replicas_equal=_replicas_equal(run),
        parts=trainings,
        concurrency_gain=gain.value if gain else None,
        notes=(*_notes(run), *comparison.notes, *(gain.notes if gain else ())),
    )


def headline(session: Session) -> str:
    """The session in one sentence: its best speedup, or else its best gain or throughput; "" before any."""
    found = results(session)
    compared = [result for result in found if result.speedup is not None and result.baseline != result.run]
    if compared:
        best = max(compared, key=lambda result: result.speedup or 0.0)
        return _speedup_sentence(best, next(result for result in found if result.run == best.baseline), found)
    gains = [result for result in found if result.concurrency_gain is not None]
    if gains:
        best = max(gains, key=lambda result: result.concurrency_gain or 0.0)
        return (
            f"{best.workload} side by side on {best.devices} devices: concurrency gain "
            f"{ratio(best.concurrency_gain)} over one after the other"
        )
    measured = [result for result in found if result.throughput is not None and result.state == "measured"]
    if not measured:
        return ""
    best = max(measured, key=lambda result: result.throughput or 0.0)
    return f"{best.label} trains {rate(best.throughput)}"


def _speedup_sentence(best: Result, baseline: Result, found: list[Result]) -> str:
    several = len({result.workload for result in found if result.mode != "concurrent"}) > 1
    with_batch = best.global_batch != baseline.global_batch and best.scaling is None
    sentence = "" if not several else f"{best.workload}: "
    sentence += f"{_name(best, with_batch)} is {ratio(best.speedup)} {_name(baseline, with_batch)}"
    if best.efficiency is not None and best.devices != baseline.devices:
        sentence += f" (efficiency {percent(best.efficiency)})"
    if best.speedup_interval and best.speedup_interval[0] <= 1 <= best.speedup_interval[1]:
        sentence += ", no difference beyond the noise"
    return sentence


def _name(result: Result, with_batch: bool) -> str:
    name = result.mode if result.devices == 1 else f"{result.mode} on {result.devices} devices"
    return f"{name} at batch {result.global_batch}" if with_batch else name


def _stop_reason(run: RunState) -> str:
    finished = (run.ranks[number].finished for number in sorted(run.ranks))
    return next((event.stop_reason for event in finished if event is not None), "")


def _parameters(run: RunState) -> int | None:
    return next((rank.parameters for rank in run.ranks.values() if rank.parameters is not None), None)


def _replicas_equal(run: RunState) -> bool | None:
    said = [rank.finished.replicas_equal for rank in run.ranks.values() if rank.finished is not None]
    checked = [equal for equal in said if equal is not None]
    return all(checked) if checked else None


def _notes(run: RunState) -> Iterator[str]:
    windows = len(run.complete_windows)
    if run.state == "stopped" and windows:
        yield f"stopped before it was done, after {windows} windows"
    if run.state == "measured" and not windows:
        yield "no figures: no window was reported by all ranks"
    if _replicas_equal(run) is False:
        yield "its ranks ended with different parameters: they did not train one model"
