"""The declaration of a preset file: it validates the file, and its docstrings become the table of keys in
`docs/presets.md` (see `reference`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

Mode = Literal["single", "dp", "ddp", "fsdp", "concurrent"]
"""One device, DataParallel, DistributedDataParallel, FSDP2, or an independent training on each device."""

Data = Literal["synthetic", "cifar10", "folder"]
Placement = Literal["device", "loader"]
Precision = Literal["fp32", "tf32", "fp16", "bf16"]
Optimizer = Literal["sgd", "adamw"]
Augmentation = Literal["flip", "crop", "rotate", "jitter"]

Count = Annotated[int, Meta(ge=1, le=2**63 - 1)]
CountOrNone = Annotated[int, Meta(ge=0, le=2**63 - 1)]
# Bounded, for TOML can say `inf` and JSON cannot.
Positive = Annotated[float, Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]


class Workload(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The training: model, data, precision, optimizer and batch."""

    name: str = ""
    """Name in tables and reports; by default that of the `[workloads.NAME]` table, or else the model's."""

    model: str = "cifar-resnet18"
    """A built-in model, `torchvision:NAME`, or `path/to/file.py:function` for a model of your own."""
    classes: Annotated[int, Meta(ge=2)] = 10
    """Number of classes, which is also the number of the model's outputs."""
    image_size: Annotated[int, Meta(ge=8)] = 32
    """Width and height of the images in pixels."""

    data: Data = "synthetic"
    """Synthetic images, CIFAR-10, or a folder with `train/CLASS/` and `test/CLASS/`."""
    data_dir: str | None = None
    """Folder of the images: required for `folder`; for `cifar10` the default is the user's cache folder."""
    images: Count = 10_000
    """Number of synthetic training images; a fifth as many are made for testing."""
    placement: Placement = "device"
    """`device`: all images are resident in device memory; `loader`: a DataLoader delivers each batch."""
    loader_workers: CountOrNone = 2
    """DataLoader processes in total, shared equally by the ranks of a run; for `placement = "loader"`."""
    augment: tuple[Augmentation, ...] = ()
    """Augmentations of the training images, applied where `placement` puts the data."""

    precision: Precision = "fp32"
    """`fp16` scales gradients. On GPUs `tf32` and `bf16` need compute capability 8.0; CPUs have no `tf32`."""
    channels_last: bool = False
    """Store images and weights in channels-last memory format (NHWC)."""
    compile: bool = False
    """Compile the model with `torch.compile`."""
    cudnn_benchmark: bool = True
    """Let cuDNN choose its convolution algorithms by trying them during warm-up."""

    batch: Count = 128
    """Samples of a step, per device or in total (see `batch_scope`)."""
    batch_scope: Literal["device", "global"] = "device"
    """`device`: `batch` counts per device (weak scaling); `global`: for all of them (strong scaling)."""

    optimizer: Optimizer = "sgd"
    """SGD with momentum, or AdamW."""
    learning_rate: Positive = 0.1
    """Learning rate after warm-up and before the first milestone."""
    learning_rate_batch: Count | None = None
    """Global batch for which `learning_rate` is meant; runs with another batch scale it in proportion."""
    momentum: Fraction = 0.9
    """Momentum of SGD."""
    weight_decay: NotNegative = 0.0
    """Weight decay of the optimizer."""
    milestones: tuple[Count, ...] = ()
    """Epochs after which the learning rate is multiplied by `gamma`, in rising order."""
    gamma: Positive = 0.1
    """Factor on the learning rate at each milestone."""
    warmup_epochs: NotNegative = 0.0
    """Number of epochs over which the learning rate rises linearly from zero."""
    seed: int = 0
    """Seed of weights, synthetic data and the order of samples."""


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
    """Longest time in s without progress until a rank counts as hung and its run fails. A GPU whose data are
    resident is given up earlier while it trains: after 30 s, or ten of its longest steps or
    windows."""
    log_megabytes: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    """Most MB kept of what a rank prints: of more, the beginning and the end. On a disk that is nearly full
    it is less, so that the session's record has room."""


class Baseline(Struct, frozen=True, forbid_unknown_fields=True):
    """The run that others are compared with; it has their workload and batch unless given here."""

    mode: Mode
    """Mode of the baseline, one of `matrix.modes` other than `concurrent`."""
    devices: Count = 1
    """Number of devices of the baseline."""
    batch: Count | None = None
    """Batch of the baseline, one of `matrix.batches`; by default that of the run compared with it."""
    workload: str | None = None
    """Name of a `[workloads.NAME]` table, which then also sets the batch; by default the run's own."""


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

    @property
    def selects_all(self) -> bool:
        """Whether no key is given."""
        return self.workload is None and self.mode is None and self.devices is None and self.batch is None

    def holds(self, mode: Mode, devices: int, workloads: tuple[Workload, ...]) -> bool:
        """Return whether a run of that mode, device count and workloads (one, or one a rank) is in it."""
        return (
            self.mode in (None, mode)
            and self.devices in (None, devices)
            and any(
                self.workload in (None, workload.name) and self.batch in (None, workload.batch)
                for workload in workloads
            )
        )


class Matrix(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The runs: modes x device counts x batches x workloads."""

    modes: Annotated[tuple[Mode, ...], Meta(min_length=1)]
    """Modes to measure; `single` always takes one device."""
    devices: Annotated[tuple[Count | Literal["all"], ...], Meta(min_length=1)] = (1,)
    """Device counts for all modes but `single`."""
    batches: tuple[Count, ...] = ()
    """Batches to measure; they replace `workload.batch`."""
    workloads: tuple[str, ...] = ()
    """Names of the `[workloads.NAME]` tables to measure; all of them unless given."""
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
    """One published figure; `workload`, `mode`, `devices` and `batch` select the runs it describes."""

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


class GpuOverlay(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys that replace those of the same name where runs train on GPUs."""

    workload: dict[str, Any] = {}
    """Keys of `[workload]`, which apply to every workload."""
    measure: dict[str, Any] = {}
    """Keys of `[measure]`."""


class Preset(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys at the top of the file."""

    title: str
    """Title in lists and reports."""
    question: str
    """Question that the experiment answers."""
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
    gpu: GpuOverlay = GpuOverlay()
    """Changes where runs train on GPUs."""
    matrix: Matrix
    """Runs of the experiment."""
    published: tuple[Published, ...] = ()
    """Figures published elsewhere."""

    @property
    def used_workloads(self) -> dict[str, Workload]:
        """The workloads that the matrix runs, by the key of their table, as in `workloads.cnn`."""
        if not self.workloads:
            return {"workload": self.workload}
        names = self.matrix.workloads or tuple(self.workloads)
        return {f"workloads.{name}": self.workloads[name] for name in names}

    def for_gpus(self) -> Preset:
        """Return the preset with the keys of `[gpu]` in place of its own."""
        return replace(
            self,
            workload=with_changes(self.workload, self.gpu.workload),
            workloads={
                name: with_changes(workload, self.gpu.workload) for name, workload in self.workloads.items()
            },
            measure=with_changes(self.measure, self.gpu.measure),
            gpu=GpuOverlay(),
        )


Table = TypeVar("Table", Workload, Measure)


def with_changes(table: Table, changes: Mapping[str, Any]) -> Table:
    """Return a table with some of its keys replaced; msgspec.ValidationError where a value is not allowed."""
    return msgspec.convert({**msgspec.to_builtins(table), **changes}, type(table)) if changes else table
