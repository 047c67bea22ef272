"""What a preset file may say: the declaration that validates it is the one the program uses."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Mode = Literal["single", "dp", "ddp", "fsdp", "concurrent"]
"""One device, DataParallel, DistributedDataParallel, FSDP2, or an independent training on each device."""

Data = Literal["synthetic", "cifar10", "folder"]
Placement = Literal["device", "loader"]
Precision = Literal["fp32", "tf32", "fp16", "bf16"]
Optimizer = Literal["sgd", "adamw"]
Augmentation = Literal["flip", "crop", "rotate", "jitter"]

Count = Annotated[int, Meta(ge=1)]
CountOrNone = Annotated[int, Meta(ge=0)]
# Bounded, for TOML can say `inf` and JSON cannot.
Positive = Annotated[float, Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]


class Workload(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained: model, data, precision, optimizer and batch. The table `[workload]` of a preset."""

    name: str = ""
    """Shown in tables; the model's name unless given."""

    model: str = "cifar-resnet18"
    """A built-in model, `torchvision:NAME`, or `path/to/file.py:function` for one's own."""
    classes: Annotated[int, Meta(ge=2)] = 10
    image_size: Annotated[int, Meta(ge=8)] = 32

    data: Data = "synthetic"
    data_dir: str | None = None
    """Where the images are: required for `folder`; for `cifar10` the default is the user's cache folder."""
    images: Count = 10_000
    """Training images of the synthetic data set; a fifth as many are made for testing."""
    placement: Placement = "device"
    loader_workers: CountOrNone = 2
    """Data-loader processes of the whole run, shared equally by its ranks; for `placement = "loader"`."""
    augment: tuple[Augmentation, ...] = ()

    precision: Precision = "fp32"
    channels_last: bool = False
    compile: bool = False
    cudnn_benchmark: bool = True

    batch: Count = 128
    batch_scope: Literal["device", "global"] = "device"
    """Whether `batch` counts per device or for all devices of a run together."""

    optimizer: Optimizer = "sgd"
    learning_rate: Positive = 0.1
    learning_rate_batch: Count | None = None
    """Global batch that `learning_rate` is meant for: a run with another has it scaled in proportion."""
    momentum: Fraction = 0.9
    """For SGD only."""
    weight_decay: NotNegative = 0.0
    milestones: tuple[Count, ...] = ()
    """Epochs after which the learning rate is multiplied by `gamma`."""
    gamma: Positive = 0.1
    warmup_epochs: NotNegative = 0.0
    """The learning rate rises linearly from zero over so many epochs."""
    seed: int = 0


class Measure(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long a run is measured. The table `[measure]` of a preset."""

    epochs: CountOrNone = 0
    """0: measure throughput in windows until `target` or `seconds`; else train and test so many epochs."""
    warmup_steps: CountOrNone = 10
    """Steps excluded at least; warm-up goes on until the step time has settled."""
    window_seconds: Positive = 0.5
    """How long a window lasts, about; it always holds whole steps, the same number on each rank."""
    windows: Annotated[int, Meta(ge=2)] = 5
    """Windows at least."""
    target: Fraction = 0.01
    """Stop once half the 95% interval of throughput is within this share of it; 0: only after `seconds`."""
    seconds: Positive = 30.0
    """Measured time at most, once there are `windows` windows. Does not limit epochs."""
    detail: CountOrNone = 20
    """Steps of the phase after the windows that finds out where a step's time goes; 0 leaves it out."""
    repeats: Count = 1
    """How often each run is done, in turns: A B C A B C, so that drift favours none."""
    hang_seconds: Positive = 120.0
    """A rank that reports no progress for so long is taken for hung, and its run fails."""


class Baseline(Struct, frozen=True, forbid_unknown_fields=True):
    """The run that others are compared with: of the same workload and batch, unless they are named."""

    mode: Mode
    devices: Count = 1
    batch: Count | None = None
    workload: str | None = None
    """Name of a `[workloads.NAME]` table; its own batch then counts."""


class Selection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the matrix: the runs that agree with all that is given."""

    workload: str | None = None
    """A workload's name; the model's where it was given none."""
    mode: Mode | None = None
    devices: Count | None = None
    batch: Count | None = None
    """As `workload.batch` counts it."""

    @property
    def selects_all(self) -> bool:
        """Whether nothing is given."""
        return self.workload is None and self.mode is None and self.devices is None and self.batch is None

    def holds(self, mode: Mode, devices: int, workloads: tuple[Workload, ...]) -> bool:
        """Whether a run of that mode, device count and workloads (one, or each rank's) is part of it."""
        return (
            self.mode in (None, mode)
            and self.devices in (None, devices)
            and any(
                self.workload in (None, workload.name) and self.batch in (None, workload.batch)
                for workload in workloads
            )
        )


class Matrix(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which runs: modes x device counts x batches x workloads. The table `[matrix]` of a preset."""

    modes: Annotated[tuple[Mode, ...], Meta(min_length=1)]
    devices: Annotated[tuple[Count | Literal["all"], ...], Meta(min_length=1)] = (1,)
    batches: tuple[Count, ...] = ()
    """Replaces `workload.batch`."""
    workloads: tuple[str, ...] = ()
    """Names of `[workloads.NAME]` tables; all of them unless given."""
    only: tuple[Selection, ...] = ()
    """Leaves out every run that is in none of these; none is left out unless given."""
    baseline: Baseline | None = None
    """Unless given: `single`, or else the first mode on the fewest devices."""


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
"""What a published figure's value counts."""


class Figure(Selection, frozen=True, kw_only=True):
    """A figure that somebody published, about the runs selected; where nothing selects, it stands alone."""

    metric: Metric
    value: NotNegative
    label: str = ""
    """What it is of, where the selection does not say it."""


class Published(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Figures from elsewhere, shown beside one's own and marked. A table of `[[published]]` in a preset."""

    source: str
    """The study that published them."""
    hardware: str
    note: str = ""
    """What a reader must know before believing them."""
    figures: Annotated[tuple[Figure, ...], Meta(min_length=1)]


class Preset(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One experiment, as its file declares it."""

    title: str
    question: str
    """What a person wants to know who runs this."""
    group: str = ""
    """The wider question that heads it in lists, with others that answer it; unless given, one's own."""
    description: str = ""
    workload: Workload = Workload()
    """Defaults of every workload."""
    workloads: dict[str, Workload] = {}
    """Named workloads; each was merged over `workload` when the file was read."""
    measure: Measure = Measure()
    matrix: Matrix
    published: tuple[Published, ...] = ()
