"""A plan: the ordered runs of a session on one machine, with what must be skipped and why."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .preset import Figure, Measure, Mode, Published, Selection, Workload


class Device(Struct, frozen=True):
    """One unit that a rank trains on: a GPU, or on a machine without GPUs an equal share of the cores."""

    kind: Literal["cuda", "cpu"]
    index: int
    """The GPU's index in PCI bus order, or the number of the share."""
    name: str
    uuid: str | None = None
    cores: tuple[int, ...] = ()
    """Logical CPUs to pin to; empty leaves the affinity alone."""


class RunSpec(Struct, frozen=True, kw_only=True):
    """One configuration, measured from process start to exit."""

    id: str
    """Unique in the plan, fit for a file name, e.g. `03-ddp-2x128-cnn`."""
    label: str
    """For people, e.g. `ddp x2, batch 128, cnn`."""
    mode: Mode
    devices: tuple[Device, ...]
    """The devices used; empty when skipped for want of them."""
    device_count: int
    workloads: tuple[Workload, ...]
    """One, or for `concurrent` one for each rank."""
    measure: Measure
    baseline: str | None = None
    """Id of the run it is compared with; None where there is none. The baseline names itself."""
    repeat: int = 1
    """Which repeat of its configuration this is, counted from 1."""
    configuration: str = ""
    """Equal for the repeats of one configuration: the id of the first."""
    skip: str | None = None
    """Why this machine cannot run it, one sentence; None when it can."""

    @property
    def workload(self) -> Workload:
        """The workload, or rank 0's where every rank has its own."""
        return self.workloads[0]

    @property
    def world_size(self) -> int:
        """Number of ranks (processes)."""
        return self.device_count if self.mode in ("ddp", "fsdp", "concurrent") else 1

    def is_in(self, selection: Selection) -> bool:
        """Whether the selection holds this run."""
        return selection.holds(self.mode, self.device_count, self.workloads)

    def workload_of(self, rank: int) -> Workload:
        """The workload that a rank trains."""
        return self.workloads[rank % len(self.workloads)]

    def devices_of(self, rank: int) -> tuple[Device, ...]:
        """The devices that a rank trains on: all of them for DataParallel, else one."""
        return self.devices if self.mode == "dp" else self.devices[rank : rank + 1]

    def batch_per_device(self, rank: int = 0) -> int:
        """Samples a device consumes each step."""
        workload = self.workload_of(rank)
        if workload.batch_scope == "device" or self.mode == "concurrent":
            return workload.batch
        return workload.batch // self.device_count

    @property
    def global_batch(self) -> int:
        """Samples all devices together consume each step."""
        if self.mode == "concurrent":
            return sum(self.batch_per_device(rank) for rank in range(self.device_count))
        return self.batch_per_device() * self.device_count


class Plan(Struct, frozen=True, kw_only=True):
    """All runs of one session, in order."""

    preset: str
    """The preset's name."""
    title: str
    question: str
    devices: tuple[Device, ...]
    """The devices of this machine that the plan draws from."""
    runs: tuple[RunSpec, ...]
    published: tuple[Published, ...] = ()
    """Figures from elsewhere about such runs: neither measured nor on this machine."""

    def run(self, run_id: str) -> RunSpec:
        """The run of that id; KeyError when there is none."""
        for spec in self.runs:
            if spec.id == run_id:
                return spec
        raise KeyError(run_id)

    def runs_of(self, figure: Figure) -> tuple[RunSpec, ...]:
        """The runs that a published figure is about, all repeats; none where it stands alone."""
        if figure.selects_all:
            return ()
        return tuple(spec for spec in self.runs if spec.is_in(figure))

    @property
    def to_run(self) -> tuple[RunSpec, ...]:
        """The runs that this machine can do."""
        return tuple(spec for spec in self.runs if spec.skip is None)

    @property
    def skipped(self) -> dict[str, list[str]]:
        """Labels of the runs that this machine must skip, by their reason."""
        reasons: dict[str, list[str]] = {}
        for spec in self.runs:
            if spec.skip is not None:
                reasons.setdefault(spec.skip, []).append(spec.label)
        return reasons
