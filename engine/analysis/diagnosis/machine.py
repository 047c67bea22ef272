"""Rules on the machine's conditions: clock rates, other programs, and drift during a run."""

from __future__ import annotations

from collections.abc import Iterator

from ... import statistics
from ...host.findings import BUSY_LOAD, taken_memory
from ...record.history import GpuHistory
from ...record.series import during, mean
from ...record.session import Session
from ...text.units import gib, percent, rate
from ..results.configuration import Configuration
from ..results.devices import gpu_uses, others_on_cpus
from ..results.throughput import throughputs
from .case import Case, Diagnosis, Evidence, Figure, Subject

LOW_CLOCK = 0.8
"""Share of the highest SM clock below which a loaded GPU counts as throttled."""
LOADED = 50.0
"""Utilisation in percent below which a low clock may be power saving."""
OFTEN = 0.1
"""Share of a run's samples at which a throttle reason counts."""
HARMLESS = frozenset({"power cap", "sync boost"})
"""Reasons that are normal near a GPU's limits, as long as the clock stays high."""
DRIFT = 0.03
"""Difference between the medians of the first and last third of a run's windows above which it counts."""
OTHERS = 0.25
"""Share of the usable CPUs above which other programs distort the measurement."""
OTHERS_OF_SHARE, OTHERS_OF_SHARE_SEVERE = 0.10, 0.25
"""Share of the CPUs that train above which other programs distort the measurement, or spoil it."""
OTHERS_BESIDE_GPU, OTHERS_BESIDE_GPU_SEVERE = 0.25, 0.50
"""The same of the CPUs that only feed GPUs, and have time to spare."""
OTHERS_ON_GPU, OTHERS_ON_GPU_SEVERE = 0.01, 0.10
"""The same of a GPU's time."""
BUSY = "busy machine"
SHARED = "shared GPU"

QUIET = "wait until the machine is idle, and measure again"
AWAY = "wait until they are done, or choose other GPUs with --gpus"


def is_disturbed(session: Session, configuration: Configuration) -> bool:
    """Return whether other programs are known to have disturbed a configuration while it was measured."""
    share, on_gpus = others_on_cpus(session, configuration), bool(configuration.gpus)
    gpus = [use.others for use in gpu_uses(session, configuration) if use.others is not None]
    least = OTHERS_BESIDE_GPU if on_gpus else OTHERS_OF_SHARE
    return (share is not None and share >= least) or max(gpus, default=0.0) >= OTHERS_ON_GPU


def throttled(case: Case) -> Iterator[Diagnosis]:
    """Find GPUs whose clock was far below its maximum, or limited by heat or power, while measured."""
    for run in case.runs:
        for index in run.configuration.gpus:
            if index in case.session.gpus:
                yield from _throttled(run, index, case.session.gpus[index])


def _throttled(run: Subject, index: int, history: GpuHistory) -> Iterator[Diagnosis]:
    spans = run.configuration.measured_spans
    clock, most = mean(during(history.clock, spans)), history.last.sm_clock_max_mhz
    busy = mean(during(history.utilization, spans))
    loaded = busy is not None and busy >= LOADED
    low = loaded and clock is not None and most is not None and clock < LOW_CLOCK * most
    shares = {why: mean(during(given, spans)) or 0.0 for why, given in history.throttled.items()}
    reasons = {why: share for why, share in shares.items() if share >= OFTEN}
    if not low and not reasons:
        return
    figures: list[Figure] = [
        (f"GPU {index}: {why}", f"in {percent(share)} of the samples") for why, share in reasons.items()
    ]
    if clock is not None and most:
        speed = f"{clock:,.0f} of {most:,.0f} MHz ({percent(clock / most)})"
        figures.insert(0, (f"mean SM clock of GPU {index}", speed))
    yield run.diagnosis(
        "throttled",
        "warning" if low or set(reasons) - HARMLESS else "info",
        f"GPU {index} {'runs far below its highest clock' if low else 'is held back'}"
        f"{' (' + ', '.join(reasons) + ')' if reasons else ''}",
        figures,
        "for heat: cooling; for power: its limit (nvidia-smi -q -d POWER); without a reason: see whether its "
        "clocks were set (nvidia-smi -q -d CLOCK)",
    )


def shared_gpus(case: Case) -> Iterator[Diagnosis]:
    """Find GPUs that other processes used, or whose memory was partly taken before the session."""
    for index in sorted({index for run in case.runs for index in run.configuration.gpus}):
        yield from _shared_while_measured(case, index)
        figures = [*_others(case, index), *_taken(case, index)]
        if figures:
            yield Diagnosis(
                name=SHARED,
                severity="warning",
                sentence=f"GPU {index} was shared with other processes: its figures are too low",
                evidence=tuple(Evidence(f"GPU {index}: {what}", value) for what, value in figures),
                advice=AWAY,
                runs=tuple(run.result.run for run in case.runs if index in run.configuration.gpus),
            )


def _shared_while_measured(case: Case, index: int) -> Iterator[Diagnosis]:
    for run in case.runs:
        share = next((use.others for use in run.result.gpus if use.index == index), None)
        if share is not None and share >= OTHERS_ON_GPU:
            yield run.diagnosis(
                SHARED,
                "severe" if share >= OTHERS_ON_GPU_SEVERE else "warning",
                f"kernels of other programs ran on GPU {index} for {percent(share)} of the time while it was "
                "measured",
                [(f"GPU {index}: time in which kernels of other programs ran", percent(share))],
                AWAY,
            )


def _taken(case: Case, index: int) -> Iterator[Figure]:
    """Yield memory in use before the session, whose owner a container may hide."""
    for gpu in case.session.host.gpus:
        if gpu.index == index and (taken := taken_memory(gpu)):
            yield "memory in use before the session", f"{gib(taken)} of {gib(gpu.memory_bytes)}"


def _others(case: Case, index: int) -> Iterator[Figure]:
    """Yield the processes on a GPU that are not the session's own."""
    session = case.session
    own = {rank.pid for run in session.runs.values() for rank in run.ranks.values()}
    before = next((gpu.processes for gpu in session.host.gpus if gpu.index == index), None)
    others = {process.pid: process.name for process in before or ()}
    seen = session.gpus[index].processes if index in session.gpus else {}
    # In a container the driver may number processes otherwise than ranks do: then none of ours is there.
    if own & set(seen):
        others |= {pid: process.name for pid, process in seen.items() if pid not in own}
    yield from (("other process", f"{name or 'unnamed'} ({pid})") for pid, name in others.items())


def busy_machine(case: Case) -> Iterator[Diagnosis]:
    """Find other programs on the CPUs, while a run was measured or else before the session."""
    for run in case.runs:
        yield from _busy_cpus(run)
        yield from _busy_elsewhere(case, run)
    load, cpus = case.session.host.cpu.load_average, len(case.session.host.cpu.cores)
    # What they used while measuring is known by newer versions; the load before may be that of a session.
    measured = [run.result for run in case.runs if run.result.throughput is not None]
    unknown = bool(measured) and all(result.others_on_cpus is None for result in measured)
    if unknown and load is not None and load > BUSY_LOAD * cpus > 0:
        yield Diagnosis(
            name=BUSY,
            severity="warning",
            sentence="the machine was busy before the session began: programs running then may have "
            "distorted every figure",
            evidence=(Evidence("load average before the session", f"{load:.1f} on {cpus} usable CPUs"),),
            advice=QUIET,
            runs=tuple(run.result.run for run in case.runs),
        )


def _busy_cpus(run: Subject) -> Iterator[Diagnosis]:
    """Diagnose a run by what other programs used of the CPUs that its ranks may use."""
    share, on_gpus = run.result.others_on_cpus, bool(run.configuration.gpus)
    least = OTHERS_BESIDE_GPU if on_gpus else OTHERS_OF_SHARE
    if share is None or share < least:
        return
    yield run.diagnosis(
        BUSY,
        "severe" if share >= (OTHERS_BESIDE_GPU_SEVERE if on_gpus else OTHERS_OF_SHARE_SEVERE) else "warning",
        f"other programs used {percent(share)} of its CPUs while it was measured",
        [("share of its CPUs used by other programs", percent(share))],
        QUIET,
    )


def _busy_elsewhere(case: Case, run: Subject) -> Iterator[Diagnosis]:
    """Diagnose a run by what other programs used of all CPUs: cores share caches, memory and power."""
    session, cpus, last = case.session, len(case.session.host.cpu.cores), case.session.cpu.last
    # Where only some of the machine's CPUs are usable, it is not known on which of them the others are.
    if last is None or len(last.per_core) != cpus:
        return
    busy, own = (
        mean(during(series, run.configuration.measured_spans))
        for series in (session.cpu.busy, session.cpu.session)
    )
    others = 0.0 if busy is None or own is None else busy / 100 * cpus - own / 100
    if others > OTHERS * cpus:
        yield run.diagnosis(
            BUSY,
            "warning",
            f"other programs used {others:.1f} of {cpus} CPUs",
            [("CPUs used by other programs", f"{others:.1f} of {cpus}")],
            QUIET,
        )


def drift(case: Case) -> Iterator[Diagnosis]:
    """Find runs whose last windows differ from their first beyond the noise."""
    for run in case.trained:
        for repeat in run.configuration.runs:
            rates = throughputs(repeat.complete_windows)
            third = len(rates) // 3
            if repeat.state != "measured" or third < statistics.FEWEST:
                continue
            first, last = rates[:third], rates[-third:]
            before, after = statistics.median(first), statistics.median(last)
            low, high = statistics.ratio_interval(last, first)
            if abs(after / before - 1) <= DRIFT or low <= 1 <= high:
                continue
            changed = "sped up" if after > before else "slowed down"
            which = f"repeat {repeat.spec.repeat}" if len(run.configuration.runs) > 1 else "it"
            yield run.diagnosis(
                "drift",
                "warning",
                f"{which} {changed} by {percent(abs(after / before - 1))} during the measurement",
                (
                    (f"median of its first {third} windows", rate(before, run.result.unit)),
                    (f"median of its last {third} windows", rate(after, run.result.unit)),
                ),
                "check for heat and other programs (see the GPUs' clocks), and measure with repeats, which "
                "are less sensitive to drift",
            )
