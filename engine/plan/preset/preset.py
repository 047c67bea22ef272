"""The declaration of a preset file, but for its workloads (see `plan/workload`).

It validates the file, and its docstrings become the tables of keys in `docs/presets.md` (see `reference`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from ..workload.bounds import Count, CountOrNone, Fraction, NotNegative, Positive
from ..workload.workload import Workload
from .values import value_at, with_changes

Mode = Literal["single", "dp", "ddp", "fsdp", "concurrent"]
"""One device, DataParallel, DistributedDataParallel, FSDP2, or an independent training on each device."""

AnswerKind = Literal[
    "figure", "worth", "reach", "batch", "model", "accuracy", "training", "communication", "sharding"
]
"""Kinds of sentences that answer a preset's question."""


class Measure(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Length and repetition of measurements."""

    epochs: CountOrNone = 0
    """Number of epochs to train and test; 0 measures throughput in windows until `target` or `seconds`."""
    warmup_steps: CountOrNone = 10
    """Least number of warm-up steps, which are not measured; warm-up goes on until step times settle."""
    window_seconds: Positive = 0.5
    """Approximate length of a window in s; it holds whole steps, the same number on each rank."""
    windows: Annotated[int, Meta(ge=2)] = 5
    """Least number of windows."""
    target: Fraction = 0.01
    """Stop once half the 95% interval of throughput is within this fraction of it; 0 never stops early."""
    seconds: Positive = 30.0
    """Time limit of the windows in s, effective once there are `windows` of them; ignored with `epochs`."""
    detail: CountOrNone = 20
    """Steps of the detail phase, which breaks a step down after the windows; 0 skips it."""
    repeats: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Repeats of each run, interleaved (A B C A B C) so that drift favours none."""
    hang_seconds: Positive = 120.0
    """Longest time in s without progress until a rank counts as hung and its run fails; five times as long
    for the first step of a compiled model. A GPU whose data are resident is given up earlier while it trains:
    after 30 s, or ten of its longest steps or windows."""
    log_megabytes: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    """Most MB kept of what a rank prints: of more, the beginning and the end. On a disk that is nearly full
    it is less, so that the session's record has room."""


class Baseline(Struct, frozen=True, forbid_unknown_fields=True):
    """The run that others are compared with; of them it has what is not given here."""

    mode: Mode
    """Mode of the baseline, one of `matrix.modes` other than `concurrent`."""
    devices: Count = 1
    """Number of devices of the baseline."""
    batch: Count | None = None
    """Batch of the baseline, one of `matrix.batches`; by default that of the run compared with it."""
    workload: str | None = None
    """Name of a `[workloads.NAME]` table, which then also sets the batch; by default the run's own."""
    vary: dict[str, Any] = {}
    """Values of varied keys, as in `{ precision = "fp32" }`; by default those of the run compared with it, or
    the first ones where all runs have one mode and one number of devices."""


class Selection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the matrix: all runs that match every key given."""

    workload: str | None = None
    """Name of a workload, or its model where it has no name; any unless given."""
    mode: Mode | None = None
    """Mode of the runs; any unless given."""
    devices: Count | None = None
    """Number of devices; any unless given."""
    batch: Count | None = None
    """Batch as `workload.batch` counts it; any unless given."""
    vary: dict[str, Any] = {}
    """Values of keys of the workload, as in `{ precision = "bf16" }`; any unless given."""

    @property
    def selects_all(self) -> bool:
        """Whether no key is given."""
        given = (self.workload, self.mode, self.devices, self.batch)
        return given == (None, None, None, None) and not self.vary

    def holds(
        self, mode: Mode, devices: int, workloads: tuple[Workload, ...], varied: Mapping[str, Any]
    ) -> bool:
        """Return whether a run of that mode, device count, workloads (one, or one a rank) and varied values
        is in it."""
        return (
            self.mode in (None, mode)
            and self.devices in (None, devices)
            and any(
                self.workload in (None, workload.name)
                and self.batch in (None, workload.batch)
                and all(
                    (varied[key] if key in varied else value_at(workload, key)) == value
                    for key, value in self.vary.items()
                )
                for workload in workloads
            )
        )


class Matrix(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The runs: modes x device counts x batches x workloads x the values of each varied key."""

    modes: Annotated[tuple[Mode, ...], Meta(min_length=1)]
    """Modes to measure; `single` always takes one device."""
    devices: Annotated[tuple[Count | Literal["all"], ...], Meta(min_length=1)] = (1,)
    """Device counts for all modes but `single`. Those that are not there are skipped, and the most that are
    there, at least 2, take their place."""
    batches: tuple[Count, ...] = ()
    """Batches to measure; they replace `workload.batch`."""
    workloads: tuple[str, ...] = ()
    """Names of the `[workloads.NAME]` tables to measure; all of them unless given."""
    vary: dict[str, tuple[Any, ...]] = {}
    """Variables under test: keys of `[workload]`, each with the values to measure, as in
    `{ precision = ["fp32", "bf16"] }`. They replace those of every workload, and runs that differ in one
    alone are compared."""
    only: tuple[Selection, ...] = ()
    """Parts of the matrix to keep; all other runs are left out. Everything is kept unless given."""
    baseline: Baseline | None = None
    """Run that others are compared with; by default `single`, or the first mode on the fewest devices."""


Metric = Literal[
    "epoch_seconds",
    "training_seconds",
    "compute_seconds",
    "communication_seconds",
    "throughput",
    "throughput_per_device",
    "step_seconds",
    "speedup",
    "efficiency",
    "concurrency_gain",
    "accuracy",
    "best_accuracy",
    "loss",
    "memory",
    "bandwidth",
    "bandwidth_utilization",
]

UNITS: dict[Metric, str] = {
    "epoch_seconds": "s",
    "training_seconds": "s",
    "compute_seconds": "s",
    "communication_seconds": "s",
    "throughput": "samples/s",
    "throughput_per_device": "samples/s",
    "step_seconds": "s",
    "speedup": "×",
    "efficiency": "share of 1",
    "concurrency_gain": "×",
    "accuracy": "share of 1",
    "best_accuracy": "share of 1",
    "loss": "",
    "memory": "GB",
    "bandwidth": "GB/s",
    "bandwidth_utilization": "share of 1",
}
"""Unit of a published figure's value."""


class Figure(Selection, frozen=True, kw_only=True):
    """One published figure; all keys up to `vary` select the runs it describes."""

    metric: Metric
    """Quantity that was published."""
    value: NotNegative
    """Published value, in the unit of its metric."""
    label: str = ""
    """Subject of the figure where the selection does not say it."""


class Published(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Figures published elsewhere; reports show them beside the measured ones, marked as published."""

    source: str
    """Title of the study."""
    hardware: str
    """Hardware that the study used."""
    note: str = ""
    """Known problems of the figures, and anything else a reader must know."""
    figures: Annotated[tuple[Figure, ...], Meta(min_length=1)]
    """Figures of this study."""


class WithoutGpus(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reduced form for machines without GPUs: keys that replace those of the same name in the same table."""

    workload: dict[str, Any] = {}
    """Keys of `[workload]`."""
    workloads: dict[str, dict[str, Any]] = {}
    """Keys of `[workloads.NAME]`, each in a table of that name."""
    measure: dict[str, Any] = {}
    """Keys of `[measure]`."""
    matrix: dict[str, Any] = {}
    """Keys of `[matrix]`."""


class Preset(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys at the top of the file."""

    title: str
    """Title in lists and reports."""
    question: str
    """Question that the experiment answers."""
    answer: AnswerKind = "figure"
    """Kind of sentence that answers the question in headlines. `figure`: the speedup on the most devices, or
    else a gain or throughput. `worth`: yes or no, by efficiency and interval. `reach`: how far it scales.
    `batch`: the fastest batch. `model`: the fastest workload. `accuracy`: accuracy lost against the baseline.
    `training`: time and accuracy of a whole training. `communication`: its share of a step. `sharding`: FSDP
    against DDP."""
    group: str = ""
    """Heading in lists, a wider question shared with other presets; `Yours` unless given."""
    description: str = ""
    """Description for the launch screen."""
    workload: Workload = Workload()
    """Training, and the defaults of every named workload."""
    workloads: dict[str, Workload] = {}
    """Named workloads, each with the keys of `[workload]` that differ from it."""
    measure: Measure = Measure()
    """Length of a measurement."""
    matrix: Matrix
    """Runs of the experiment."""
    without_gpus: WithoutGpus = WithoutGpus()
    """Reduced form for machines without GPUs."""
    published: tuple[Published, ...] = ()
    """Figures published elsewhere."""

    @property
    def used_workloads(self) -> dict[str, Workload]:
        """The workloads that the matrix runs, by the key of their table, as in `workloads.cnn`."""
        if not self.workloads:
            return {"workload": self.workload}
        names = self.matrix.workloads or tuple(self.workloads)
        return {f"workloads.{name}": self.workloads[name] for name in names}

    @property
    def has_reduced_form(self) -> bool:
        """Whether it has a form of its own for machines without GPUs."""
        return self.without_gpus != WithoutGpus()

    def reduced(self) -> Preset:
        """Return the preset in its form for machines without GPUs."""
        changes = self.without_gpus
        named = changes.workloads
        return replace(
            self,
            workload=with_changes(self.workload, changes.workload),
            workloads={
                name: with_changes(workload, named.get(name, {})) for name, workload in self.workloads.items()
            },
            measure=with_changes(self.measure, changes.measure),
            matrix=with_changes(self.matrix, changes.matrix),
            without_gpus=WithoutGpus(),
        )
