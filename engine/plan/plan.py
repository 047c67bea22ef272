"""The plan of a session: its ordered runs on one machine, and why some are skipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from ..host.facts import Int64
from .pace import Pace
from .preset.preset import AnswerKind, Figure, Measure, Mode, Published, Selection
from .remedy import Attempt, Trial, Tune
from .workload.bounds import Count
from .workload.workload import Workload


def sum_in_turns(values: Sequence[int], ranks: int) -> int:
    """Return the sum over so many ranks, which take the values in turns; a record may tell of any number."""
    rounds, rest = divmod(ranks, len(values))
    return rounds * sum(values) + sum(values[:rest])


class Device(Struct, frozen=True):
    """A unit that a rank trains on: a GPU, or on a machine without GPUs an equal share of the cores."""

    kind: Literal["cuda", "cpu"]
    index: Int64
    """Index of the GPU in PCI bus order, or number of the share."""
    name: str
    uuid: str | None = None
    cores: tuple[Int64, ...] = ()
    """Logical CPUs that its rank is pinned to, for a GPU those near it; empty leaves the affinity alone."""


class RunSpec(Struct, frozen=True, kw_only=True):
    """One configuration, measured from the start of its processes to their exit."""

    id: str
    """Name that is unique in the plan and fit for a file, as in `03-ddp-2x128-cnn`."""
    label: str
    """Display name, as in `ddp x2, batch 128, cnn`."""
    mode: Mode
    devices: tuple[Device, ...]
    """Devices used; empty when the run is skipped because there are too few."""
    device_count: Count
    workloads: Annotated[tuple[Workload, ...], Meta(min_length=1)]
    """One workload, or for `concurrent` one for each rank."""
    measure: Measure
    baseline: str | None = None
    """Id of the run it is compared with; None where there is none. A baseline names itself."""
    varied: dict[str, Any] = {}
    """Values of the variables under test, by their keys in the workload."""
    controls: dict[str, str] = {}
    """Id of the run that differs from it in one variable under test alone, by that; none for the control."""
    repeat: Int64 = 1
    """Number of this repeat of the configuration, from 1."""
    configuration: str = ""
    """Id of the configuration's first repeat."""
    skip: str | None = None
    """Reason why this machine cannot run it, one sentence; None when it can."""
    attempt: Attempt | None = None
    """Part of a trial or a tune; None in other sessions."""

    @property
    def workload(self) -> Workload:
        """The workload, or that of rank 0 where every rank has its own."""
        return self.workloads[0]

    @property
    def world_size(self) -> int:
        """Number of ranks, each a process."""
        return self.device_count if self.mode in ("ddp", "fsdp", "concurrent") else 1

    def is_in(self, selection: Selection) -> bool:
        """Return whether this run is in the selection."""
        return selection.holds(self.mode, self.device_count, self.workloads, self.varied)

    def workload_of(self, rank: int) -> Workload:
        """Return the workload that a rank trains."""
        return self.workloads[rank % len(self.workloads)]

    def devices_of(self, rank: int) -> tuple[Device, ...]:
        """Return the devices that a rank trains on: all of them for DataParallel, else one."""
        return self.devices if self.mode == "dp" else self.devices[rank : rank + 1]

    def batch_per_device(self, rank: int = 0) -> int:
        """Return the samples that a device consumes in each forward and backward pass."""
        workload = self.workload_of(rank)
        if workload.batch_scope == "device" or self.mode == "concurrent":
            return workload.batch
        return workload.batch // self.device_count

    @property
    def global_batch(self) -> int:
        """Samples that all devices together consume each step, in all of its passes."""
        sizes = [
            self.batch_per_device(rank) * workload.accumulate for rank, workload in enumerate(self.workloads)
        ]
        return sum_in_turns(sizes, self.device_count)


class Plan(Struct, frozen=True, kw_only=True):
    """All runs of a session, in order."""

    preset: str
    """Name of the preset."""
    title: str
    question: str
    answer: AnswerKind = "figure"
    """Kind of sentence that answers the question."""
    devices: tuple[Device, ...]
    """Devices of this machine that the runs use."""
    runs: tuple[RunSpec, ...]
    published: tuple[Published, ...] = ()
    """Figures published elsewhere about such runs, not measured on this machine."""
    paces: dict[str, Pace] = {}
    """Paces that past sessions on this machine have shown, by the id of the run."""
    changes: dict[str, str] = {}
    """Keys that were changed from the preset's file, each with its value as TOML."""
    reduced: bool = False
    """Whether its preset is in its reduced form, for machines without GPUs."""
    trial: Trial | None = None
    """Origin of the remedy that the session tries; None in other sessions."""
    tune: Tune | None = None
    """Bounds of a tune, to which runs are added as it goes on; None in other sessions."""

    def run(self, run_id: str) -> RunSpec:
        """Return the run of that id; KeyError when there is none."""
        for spec in self.runs:
            if spec.id == run_id:
                return spec
        raise KeyError(run_id)

    def may_fail(self, spec: RunSpec) -> bool:
        """Return whether a failure of a run is a result: in a tune, that of a change which is tried."""
        attempt = spec.attempt
        return (
            self.tune is not None
            and attempt is not None
            and attempt.changed
            and attempt.purpose in ("remedy", "batch")
        )

    def runs_of(self, figure: Figure) -> tuple[RunSpec, ...]:
        """Return all repeats of the runs that a published figure is about; none where it stands alone."""
        if figure.selects_all:
            return ()
        return tuple(spec for spec in self.runs if spec.is_in(figure))

    @property
    def measures_preset(self) -> bool:
        """Whether its runs are those of its preset, and not of a trial or a tune."""
        return self.trial is None and self.tune is None

    @property
    def to_run(self) -> tuple[RunSpec, ...]:
        """Runs that are not skipped."""
        return tuple(spec for spec in self.runs if spec.skip is None)

    @property
    def used_devices(self) -> frozenset[tuple[str, str]]:
        """Kind and name of every device that a run trains on; shares of a CPU count as the whole machine."""
        used = (device for spec in self.to_run for device in spec.devices)
        return frozenset((d.kind, d.uuid or str(d.index) if d.kind == "cuda" else "all") for d in used)

    def disturbs(self, other: Plan) -> bool:
        """Whether the two cannot be measured at once: both use the same GPU, or one uses the CPU's cores."""
        both = self.used_devices | other.used_devices
        if not self.used_devices or not other.used_devices:
            return False
        return ("cpu", "all") in both or bool(self.used_devices & other.used_devices)

    @property
    def skipped(self) -> dict[str, list[str]]:
        """Labels of the skipped runs, by the reason."""
        reasons: dict[str, list[str]] = {}
        for spec in self.runs:
            if spec.skip is not None:
                reasons.setdefault(spec.skip, []).append(spec.label)
        return reasons
