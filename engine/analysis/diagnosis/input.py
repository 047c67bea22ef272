"""Rules on whether batches arrive in time."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from ...plan.remedy import Remedy
from ...plan.workload.workload import Workload
from ...text.units import duration, percent, rate
from .case import Case, Diagnosis, Evidence, Subject, at_any_batch
from .processors import CpuDemand, cpu_demand, is_oversubscribed
from .remedies import if_gone, makes_own_batches, offered, resident_data

INPUT_SHARE = 0.10
"""Share of a step at which waiting for data is worth acting on."""
INPUT_SHARE_SEVERE = 0.20
INPUT_SECONDS = 2e-3
"""Wait that fetching any batch takes, in s; shorter waits are ignored even in short steps."""
REAL_TO_SYNTHETIC = 0.9
"""Throughput relative to synthetic data on the device below which the loader is the cause."""
FLAT = 1.10
"""Ratio within which throughputs count as equal; doubling the work changes them by far more."""
MOST_PREFETCHED = 16
"""Batches of each loader worker beyond which more in advance hardly even out its pace."""
FEWEST_FLAT = 3
"""Fewest runs that must show a ceiling."""

NAME = "input-bound"
FASTER_LOADING = (
    'place the data on the device (placement = "device"), or try more loader_workers, less augmentation, or '
    "images decoded beforehand"
)
NOT_MORE_WORKERS = (
    'place the data on the device (placement = "device"), or try less augmentation or images decoded '
    "beforehand; more loader_workers do not help, as the CPUs are oversubscribed already"
)
OWN_BATCHES = "the training's own file makes its batches: look at what its function `batches` waits for"
LESS_DRAWING = (
    "the data are on the device already: drawing and augmenting a batch there takes the time; try less "
    "augmentation"
)


def slow_input(case: Case) -> Iterator[Diagnosis]:
    """Find ranks that wait for their next batch for a large share of a step."""
    for run in case.runs:
        if run.result.phases is None:
            continue
        worst = max(run.result.phases.ranks, key=lambda rank: rank.shares["input"])
        share, wait = worst.shares["input"], worst.seconds["input"]
        if share < INPUT_SHARE or wait < INPUT_SECONDS:
            continue
        resident = run.spec.workload_of(worst.rank).placement == "device"
        yield run.diagnosis(
            NAME,
            "severe" if share >= INPUT_SHARE_SEVERE else "warning",
            f"waiting for the next batch takes {percent(share)} of each step",
            (
                (f"rank {worst.rank} waits for a batch", f"{duration(wait)} per step"),
                ("share of the step", f"{percent(share)} of {duration(worst.step_seconds)}"),
            ),
            LESS_DRAWING if resident and not makes_own_batches(run) else faster_loading(case, run),
            offered(case, run, _loading(case, run, share, worst.shares["transfer"])),
        )


def slower_than_synthetic(case: Case) -> Iterator[Diagnosis]:
    """Find runs that are faster with synthetic data on the device."""
    for run in case.trained:
        other = next((other for other in case.trained if _differs_in_data_only(run, other)), None)
        ours, theirs = run.result.throughput, other.result.throughput if other else None
        if other is None or not ours or not theirs or ours >= REAL_TO_SYNTHETIC * theirs:
            continue
        yield run.diagnosis(
            NAME,
            "severe" if ours / theirs < 1 - INPUT_SHARE_SEVERE else "warning",
            f"it reaches {percent(ours / theirs)} of what the same training reaches on "
            "synthetic data on the device",
            (
                (
                    ("throughput", rate(ours, run.result.unit)),
                    (f"throughput of {other.result.label}", rate(theirs, run.result.unit)),
                )
            ),
            faster_loading(case, run),
            offered(case, run, _loading(case, run, 1 - ours / theirs)),
        )


def loader_ceiling(case: Case) -> Iterator[Diagnosis]:
    """Find a throughput that stays the same for any batch size and number of devices."""
    loading = [run for run in case.trained if run.spec.workload.placement == "loader"]
    for workload in dict.fromkeys(at_any_batch(run.spec.workload) for run in loading):
        runs = [run for run in loading if at_any_batch(run.spec.workload) == workload]
        rates = [run.result.throughput or 0.0 for run in runs]
        devices = {run.spec.device_count for run in runs}
        batches = {run.spec.batch_per_device() for run in runs}
        varied = len(runs) >= FEWEST_FLAT and len(devices) > 1 and len(batches) > 1
        unit = runs[0].result.unit
        if varied and max(rates) < FLAT * min(rates):
            yield Diagnosis(
                name=NAME,
                severity="severe",
                sentence=f"{workload.title} trains the same {rate(max(rates), unit)} at every batch and on "
                "any number of devices: that is the loader's rate, and says nothing of the devices",
                evidence=tuple(_throughput(run) for run in runs),
                advice=faster_loading(case, runs[0]),
                remedies=offered(case, runs[0], _loading(case, runs[0], None)),
                tried_on=runs[0].result.label,
                runs=tuple(run.result.run for run in runs),
            )


def faster_loading(case: Case, run: Subject) -> str:
    """Return advice that does not contradict another diagnosis of the session."""
    if makes_own_batches(run):
        return OWN_BATCHES
    return NOT_MORE_WORKERS if any(map(is_oversubscribed, case.runs)) else FASTER_LOADING


def _loading(case: Case, run: Subject, share: float | None, transfer: float = 0.0) -> Iterator[Remedy]:
    """Yield what lets batches come sooner: a `share` of each step is waiting for them, another `transfer`."""
    workload = run.spec.workload
    if workload.placement == "device":
        return
    yield from resident_data(case, run, None if share is None else if_gone(share + transfer))
    workers, each = workload.loader_workers, run.spec.world_size
    most = _most_workers(case, run)
    more = min(2 * workers or 2 * each, most)
    if more > workers:
        name = "more loader workers" if workers else "loader workers"
        yield Remedy(name=name, changes={"loader_workers": more}, ceiling=if_gone(share))
    if workload.prefetch < MOST_PREFETCHED:
        changes = {"prefetch": min(4 * workload.prefetch, MOST_PREFETCHED)}
        yield Remedy(name="more prefetching", changes=changes, ceiling=if_gone(share))


def _most_workers(case: Case, run: Subject) -> int:
    """Return the most loader workers that CPUs have room for, equally for each rank."""
    if any(map(is_oversubscribed, case.runs)):
        return 0
    demand, ranks = cpu_demand(run), run.spec.world_size
    cpus = len(case.session.host.cpu.cores)
    return (demand or CpuDemand(ranks, 0, cpus)).most_workers(ranks)


def _throughput(run: Subject) -> Evidence:
    return Evidence(
        f"{run.result.label}: throughput at global batch {run.spec.global_batch}",
        rate(run.result.throughput, run.result.unit),
    )


def _differs_in_data_only(run: Subject, other: Subject) -> bool:
    ours, theirs = run.spec, other.spec
    return (
        not _is_on_device(ours.workload)
        and _is_on_device(theirs.workload)
        and (ours.mode, ours.device_count) == (theirs.mode, theirs.device_count)
        and ours.global_batch == theirs.global_batch
        and _without_data(ours.workload) == _without_data(theirs.workload)
    )


def _is_on_device(workload: Workload) -> bool:
    return workload.data == "synthetic" and workload.placement == "device"


def _without_data(workload: Workload) -> Workload:
    default = Workload()
    return replace(
        workload,
        name="",
        data=default.data,
        data_dir=default.data_dir,
        images=default.images,
        placement=default.placement,
        loader_workers=default.loader_workers,
        augment=default.augment,
    )
