"""The declaration of a workload, the keys of `[workload]` and `[workloads.NAME]` in a preset file."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from .bounds import Count, CountOrNone, Fraction, NotNegative, Positive

Data = Literal["synthetic", "cifar10", "folder", "text", "tokens"]
Placement = Literal["device", "loader"]
Precision = Literal["fp32", "tf32", "fp16", "bf16"]
Optimizer = Literal["sgd", "adamw"]
Augmentation = Literal["flip", "crop", "rotate", "jitter"]
CompileMode = Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]
Compression = Literal["none", "fp16", "bf16"]


class Workload(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The training: model, data, precision, batch, optimizer, and how devices work together.

    A comment above a key begins a group of keys, and is its heading in the documentation.
    """

    # Model
    name: str = ""
    """Name in tables and reports; by default that of the `[workloads.NAME]` table, or else the model's."""
    training: str = "images"
    """`images`, an image classifier; `tokens`, a language model; or `path/to/file.py`,
    a training of your own."""
    arguments: dict[str, Any] = {}
    """Keyword arguments of your own training's `build_model`, as in `{ depth = 6 }`."""
    model: str = "cifar-resnet18"
    """A built-in model, `torchvision:NAME`, or `path/to/file.py:function` for a model of your own."""
    classes: Annotated[int, Meta(ge=2)] = 10
    """Number of classes, which is also the number of the model's outputs."""
    image_size: Annotated[int, Meta(ge=8)] = 32
    """Width and height of the images in pixels."""
    sequence_length: Annotated[int, Meta(ge=1, le=1 << 30)] = 1024
    """Tokens of a sequence, for `training = "tokens"`; a sequence is what `batch` counts there."""
    vocabulary: Annotated[int, Meta(ge=2, le=1 << 30)] | None = None
    """Number of different tokens; 256 for a text unless given, otherwise the language model's own."""

    # Data
    data: Data = "synthetic"
    """Synthetic images or tokens; for images CIFAR-10, or a folder with `train/CLASS/` and `test/CLASS/`; for
    tokens `text`, a text or a folder of texts read as bytes, or `tokens`, a folder with `train.bin` and
    `val.bin`, or one such file, of 16-bit tokens as nanoGPT writes them."""
    data_dir: str | None = None
    """Folder of the images, or file or folder of the tokens: required for `folder`, `text` and `tokens`; for
    `cifar10` the default is the user's cache folder."""
    images: Count = 10_000
    """Number of synthetic training images; a fifth as many are made for testing."""
    tokens: Annotated[int, Meta(ge=1, le=1 << 40)] = 1_000_000
    """Number of synthetic training tokens; a fifth as many are made for testing."""
    placement: Placement = "device"
    """`device`: all images are resident in device memory; `loader`: a DataLoader delivers each batch."""
    loader_workers: CountOrNone = 2
    """DataLoader processes in total, shared equally by the ranks of a run; for `placement = "loader"`."""
    prefetch: Annotated[int, Meta(ge=1, le=10_000)] = 2
    """Batches that each DataLoader process loads in advance."""
    pin_memory: bool = True
    """Copy a DataLoader's batches to GPUs from page-locked memory, while these compute."""
    augment: tuple[Augmentation, ...] = ()
    """Augmentations of the training images, applied where `placement` puts the data."""

    # Arithmetic
    precision: Precision = "fp32"
    """`fp16` scales gradients. On GPUs `tf32` and `bf16` need compute capability 8.0; CPUs have no `tf32`."""
    channels_last: bool = False
    """Store images and weights in channels-last memory format (NHWC)."""
    compile: bool = False
    """Compile the model with `torch.compile`."""
    compile_mode: CompileMode = "default"
    """Mode of `torch.compile`: what it tries for speed at the cost of memory or of time to compile."""
    cudnn_benchmark: bool = True
    """Let cuDNN choose its convolution algorithms by trying them during warm-up."""

    # Batch
    batch: Count = 128
    """Samples of a forward and backward pass, per device or of all devices (see `batch_scope`)."""
    batch_scope: Literal["device", "global"] = "device"
    """`device`: `batch` counts per device (weak scaling); `global`: for all of them (strong scaling)."""
    accumulate: Annotated[int, Meta(ge=1, le=100_000)] = 1
    """Passes whose gradients are added up to one step, which so takes `batch` x devices x `accumulate`
    samples; ranks average gradients in the last pass only."""
    checkpoint_activations: Literal["none", "every"] | Annotated[int, Meta(ge=1, le=100_000)] = "none"
    """Compute activations anew in backward instead of keeping them: of every block of the model, or with a
    number N of every N-th."""

    # Optimizer
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
    clip_gradients: Literal["none"] | Positive = "none"
    """Largest norm of all gradients together, to which longer ones are scaled down."""
    milestones: tuple[Count, ...] = ()
    """Epochs after which the learning rate is multiplied by `gamma`, in rising order."""
    gamma: Positive = 0.1
    """Factor on the learning rate at each milestone."""
    warmup_epochs: NotNegative = 0.0
    """Number of epochs over which the learning rate rises linearly from zero."""
    seed: int = 0
    """Seed of weights, synthetic data and the order of samples."""

    # ddp
    bucket_mb: Annotated[float, Meta(gt=0, le=1_000_000)] = 25.0
    """Size in MiB of the buckets in which ddp reduces gradients. At the default the first holds 1 MiB."""
    gradient_as_bucket_view: bool = False
    """Let gradients lie in ddp's buckets, which saves their memory once and the copying back."""
    static_graph: bool = False
    """Promise ddp that every step uses the same parameters in the same way."""
    find_unused_parameters: bool = False
    """Let ddp find parameters that a step does not use, which it would wait for; costs time in each step.
    With it fsdp gathers all blocks at once, so that ranks may use different ones."""
    compress_gradients: Compression = "none"
    """Let ddp send gradients as 16-bit numbers, by torch's own communication hooks."""

    # fsdp
    reshard_after_forward: bool = True
    """Free a block's gathered weights after its forward, and gather them again for backward."""

    @property
    def title(self) -> str:
        """Name in tables and reports."""
        return self.name or (PurePath(self.training).stem if self.training.endswith(".py") else self.model)

    def __hash__(self) -> int:
        """Return a hash, which the arguments have as their JSON: tables have none."""
        values = (getattr(self, name) for name in self.__struct_fields__ if name != "arguments")
        return hash((*values, msgspec.json.encode(self.arguments, order="sorted")))
