"""Independent trainings side by side: what each loses, and what all gain. Never called a speedup."""

from __future__ import annotations

from msgspec import Struct

from ..record.session import RunState, Session
from .comparable import setting_differences, workload_differences
from .comparison import SUPER_LINEAR
from .summary import Learnt, Summary, learnt, peak_memory, run_summary, summarise
from .units import ratio


class Part(Struct, frozen=True, kw_only=True):
    """One of the trainings."""

    rank: int
    workload: str
    device: str
    side_by_side: Summary
    alone: float | None
    """Throughput of the same workload in the plan's single run, samples/s."""
    peak_memory_bytes: int | None
    learnt: Learnt | None


class Gain(Struct, frozen=True):
    """Sum of the times alone over the longest time side by side, each training the same number of samples."""

    value: float | None
    notes: tuple[str, ...] = ()


def parts(session: Session, run: RunState) -> tuple[Part, ...]:
    """The trainings of a concurrent run, by rank; none of a run that failed."""
    if run.state == "failed":
        return ()
    return tuple(_part(session, run, number) for number in sorted(run.ranks))


def concurrency_gain(run: RunState, trainings: tuple[Part, ...]) -> Gain:
    """The gain of doing a concurrent run's trainings side by side, which its devices bound."""
    devices = run.spec.device_count
    beside = [part.side_by_side.throughput for part in trainings]
    rates = [rate for rate in beside if rate is not None]
    if run.state not in ("measured", "stopped") or len(rates) < devices:
        return Gain(None)
    alone = [part.alone for part in trainings if part.alone is not None]
    if len(alone) < devices:
        missing = dict.fromkeys(part.workload for part in trainings if part.alone is None)
        return Gain(None, (f"no concurrency gain: no comparable single run of {', '.join(missing)}",))
    gain = sum(1 / rate for rate in alone) / max(1 / rate for rate in rates)
    if gain > SUPER_LINEAR * devices:
        note = f"a gain of {ratio(gain)} is more than {devices} devices can give: a run alone was slowed"
        return Gain(gain, (note,))
    return Gain(gain)


def _part(session: Session, run: RunState, number: int) -> Part:
    spec, rank = run.spec, run.ranks[number]
    workload = spec.workload_of(number)
    return Part(
        rank=number,
        workload=workload.name or workload.model,
        device=spec.devices[number].name if number < len(spec.devices) else rank.device,
        side_by_side=summarise(rank.windows),
        alone=_alone(session, run, number),
        peak_memory_bytes=peak_memory([rank]),
        learnt=learnt(run, [number]),
    )


def _alone(session: Session, run: RunState, number: int) -> float | None:
    spec, settings = run.spec, run.ranks[number].settings
    for single in session.runs.values():
        if single.spec.mode != "single" or single.state != "measured" or 0 not in single.ranks:
            continue
        same_work = not workload_differences(single.spec.workload, spec.workload_of(number))
        same_batch = single.spec.batch_per_device() == spec.batch_per_device(number)
        if same_work and same_batch and not setting_differences(settings, single.ranks[0].settings):
            return run_summary(single).throughput
    return None
