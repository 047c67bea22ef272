"""Rules on whether the CPUs that feed the devices suffice and are shared equally."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...plan.plan import RunSpec, sum_in_turns
from ...plan.remedy import Remedy
from ...text.units import number
from .case import Case, Diagnosis, Figure, Subject
from .remedies import offered, resident_data

OVERSUBSCRIBED = 1.5
"""Threads and loader workers for each CPU that still do no harm, as workers wait part of the time."""


class CpuDemand(NamedTuple):
    """Threads and loader workers of a run, and the CPUs available to it."""

    threads: int
    """Threads of all ranks."""
    workers: int
    """Loader processes of all ranks."""
    cpus: int

    @property
    def is_too_much(self) -> bool:
        """Whether they get into each other's way."""
        return self.threads + self.workers > OVERSUBSCRIBED * self.cpus

    def most_workers(self, ranks: int) -> int:
        """Return the most workers, as many for each rank, that fit beside the threads."""
        return max(0, int(OVERSUBSCRIBED * self.cpus - self.threads) // ranks * ranks)


def cpu_demand(run: Subject) -> CpuDemand | None:
    """Return the CPU demand of a run; None if it is unknown."""
    settings = {rank: state.settings for rank, state in run.configuration.ranks}
    affinities = [str(found.get("affinity", "")) for found in settings.values()]
    if not run.result.windows or not affinities or not all(affinities):
        return None
    cpus = len({cpu for affinity in affinities for cpu in affinity.split(",")})
    threads = sum(int(found.get("threads", 1)) for found in settings.values())
    workers = _workers(run.spec)
    return CpuDemand(threads, workers, cpus)


def is_oversubscribed(run: Subject) -> bool:
    """Return whether a run is known to have more busy threads and loader workers than its CPUs can serve."""
    found = cpu_demand(run)
    return found is not None and found.is_too_much


def oversubscribed(case: Case) -> Iterator[Diagnosis]:
    """Find runs with more busy threads and loader workers than CPUs."""
    for run in case.runs:
        found = cpu_demand(run)
        if found is not None and found.is_too_much:
            yield _oversubscribed(case, run, found)


def _oversubscribed(case: Case, run: Subject, demand: CpuDemand) -> Diagnosis:
    load, (threads, workers, cpus) = case.session.host.cpu.load_average, demand
    return run.diagnosis(
        "CPU oversubscribed",
        "warning",
        f"{threads + workers} threads and loader workers on {cpus} CPU{'s' if cpus > 1 else ''}: they "
        "compete, and training waits for its own loader",
        [
            (f"threads of its {_ranks(run.spec)}", str(threads)),
            ("loader workers", str(workers)),
            ("CPUs available", str(cpus)),
            *_omp_num_threads(run),
            ("load average before the session", number(load)),
        ],
        "fewer loader_workers, or more CPUs for this process (its affinity, the container's limit)",
        offered(case, run, _fewer_workers(case, run, demand)),
    )


def _fewer_workers(case: Case, run: Subject, demand: CpuDemand) -> Iterator[Remedy]:
    """Yield what takes workers off the CPUs; it brings at most the time for which each thread has to wait."""
    ceiling = (demand.threads + demand.workers) / demand.cpus
    fewer = max(run.spec.world_size, demand.most_workers(run.spec.world_size))
    if fewer < demand.workers:
        yield Remedy(name="fewer loader workers", changes={"loader_workers": fewer}, ceiling=ceiling)
    yield from resident_data(case, run, ceiling)


def unequal_threads(case: Case) -> Iterator[Diagnosis]:
    """Find trainings whose ranks have unequal numbers of threads or CPUs."""
    for run in case.runs:
        for key, what in (("threads", "threads"), ("cores", "CPUs")):
            counts = {
                rank: int(state.settings[key])
                for rank, state in run.configuration.ranks
                if key in state.settings
            }
            # The sockets that GPUs are attached to may have unequal numbers of cores, and one is enough.
            on_gpus = any(device.kind == "cuda" for device in run.spec.devices)
            if (key == "cores" and on_gpus) or run.spec.mode == "concurrent" or len(set(counts.values())) < 2:
                continue
            yield run.diagnosis(
                "unequal threads",
                "warning",
                f"its ranks do not have the same number of {what}: the others wait for "
                "the one with the fewest",
                [
                    *((f"{what} of rank {rank}", str(count)) for rank, count in counts.items()),
                    *_omp_num_threads(run),
                ],
                "give each rank the same: see OMP_NUM_THREADS and the process's CPU affinity",
            )


def _omp_num_threads(run: Subject) -> Iterator[Figure]:
    """Yield OMP_NUM_THREADS, which is the same for all ranks of a run."""
    values = {str(state.settings.get("omp_num_threads", "")) for _, state in run.configuration.ranks} - {""}
    if values:
        yield "OMP_NUM_THREADS in the environment", ", ".join(sorted(values))


def _workers(spec: RunSpec) -> int:
    """Return the number of loader processes of all ranks."""
    of_each = [
        each.loader_workers // spec.world_size if each.placement == "loader" else 0 for each in spec.workloads
    ]
    return sum_in_turns(of_each, spec.world_size)


def _ranks(spec: RunSpec) -> str:
    return f"{spec.world_size} rank{'s' if spec.world_size > 1 else ''}"
