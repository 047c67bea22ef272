"""The declaration of a workload, the keys of `[workload]` and `[workloads.NAME]` in a preset file."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .bounds import Count, CountOrNone, Fraction, NotNegative, Positive

Data = Literal["synthetic", "cifar10", "folder"]
Placement = Literal["device", "loader"]
Precision = Literal["fp32", "tf32", "fp16", "bf16"]
Optimizer = Literal["sgd", "adamw"]
Augmentation = Literal["flip", "crop", "rotate", "jitter"]


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
