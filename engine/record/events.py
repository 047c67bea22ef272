"""The events that make up the record of a session.

Every event carries `at`, seconds since the session started, on the machine's monotonic clock, which all
processes share. Ranks send events over their queue; the session process adds its own and writes the journal.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Struct

from ..host.facts import CpuSample, GpuSample, Host, Int64
from ..plan.plan import Plan, RunSpec

Phase = Literal[
    "starting",
    "loading data",
    "building model",
    "warming up",
    "measuring",
    "evaluating",
    "detail",
    "communication",
    "finishing",
]
Exchange = Literal["scatter", "replicate", "gather", "reduce"]
"""DataParallel's operations of a step besides computation."""
Collective = Literal["all_reduce", "all_gather", "reduce_scatter"]
Outcome = Literal["measured", "failed", "skipped", "stopped"]
SessionOutcome = Literal["finished", "stopped", "interrupted"]
"""`stopped` by the user; `interrupted` by what its process could not go on with, such as a full disk."""
FailureKind = Literal["raised", "out of memory", "killed", "hung", "no data", "launch"]

SAME_WAY = "the others would fail the same way"
"""Beginning of the reason of runs that were skipped because two others failed alike."""


class Base(Struct, frozen=True, kw_only=True, tag_field="event"):
    """Fields that all events share."""

    at: Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]


class SessionStarted(Base, frozen=True, kw_only=True, tag="session started"):
    """Start of a session; the first line of a journal."""

    format: Int64 = 2
    """Version of the journal format; in 1, `RankFinished` also held what is now `RankMeasured`."""
    session: str
    """Name of the session and of its folder."""
    program: str
    """Version of gpubench-tui."""
    unix_time: float
    pid: Int64
    host: Host
    plan: Plan
    resumes: str = ""
    """Name of the session whose measured runs this one takes over; empty for none."""


class RunStarted(Base, frozen=True, kw_only=True, tag="run started"):
    """Launch of a run's processes."""

    run: str


class RunsAdded(Base, frozen=True, kw_only=True, tag="runs added"):
    """Growth of the plan: runs that follow from those measured so far."""

    runs: tuple[RunSpec, ...]


class RunTakenOver(Base, frozen=True, kw_only=True, tag="run taken over"):
    """A run that this session did not measure but took over from an earlier one, which it resumes.

    Its events follow, dated before the start of this session.
    """

    run: str
    session: str
    """Name of the session that measured it."""


class RankStarted(Base, frozen=True, kw_only=True, tag="rank started"):
    """Start of a rank, with its device and settings."""

    run: str
    rank: Int64
    pid: Int64
    device: str
    """Name of the device as torch gives it, e.g. `NVIDIA H200` or `cpu (1 thread)`."""
    settings: dict[str, str | Int64 | float | bool]
    """Settings that must be equal for two runs to be comparable: versions, threads, precision switches,
    ..."""


class Piece(Struct, frozen=True):
    """A part of a model's parameters that FSDP gathers, and whose gradients it reduces, in one collective."""

    bytes: Int64
    """Size of the gathered parameters: the shards of all ranks with padding, in the dtype sent."""
    gathers: Int64
    """Number of times the piece is gathered in a step; its gradients are reduce-scattered once."""
    gradient_bytes: Int64 | None = None
    """Size of the reduce-scattered gradients; None if equal to `bytes`."""

    @property
    def reduced_bytes(self) -> int:
        """Size of the reduce-scattered gradients."""
        return self.bytes if self.gradient_bytes is None else self.gradient_bytes


class UnreadImages(Struct, frozen=True):
    """Images in a folder of data that a training could not read."""

    folder: str
    files: Int64
    first: str
    """Path of the first of them, and why it cannot be read."""


class ModelBuilt(Base, frozen=True, kw_only=True, tag="model built"):
    """Completion of a rank's model and data."""

    run: str
    rank: Int64
    parameters: Int64
    unit: str = "samples"
    """Unit of its throughput, in the plural: `images`, `tokens`."""
    # Journals have always called them images.
    train_samples: Int64 | None = msgspec.field(name="train_images")
    """Units in the training set; None where that is not known."""
    test_samples: Int64 | None = msgspec.field(name="test_images")
    """Units in the test set; None where that is not known."""
    steps_per_epoch: Int64
    """Steps of one epoch on this rank."""
    buffer_bytes: Int64 | None = None
    """Size of the model's buffers, such as the statistics of batch norms."""
    settings: dict[str, str | Int64 | float | bool] = {}
    """Settings of the rank again: a model's own file may have changed them as it was imported."""
    pieces: list[Piece] = []
    """FSDP only: the units that are gathered and reduce-scattered."""
    skipped_images: list[UnreadImages] = []
    """Images found to be unreadable beforehand, which are left out."""


class PhaseChanged(Base, frozen=True, kw_only=True, tag="phase"):
    """Entry of a rank into a phase; sent again with a different `note` as a sign of progress."""

    run: str
    rank: Int64
    phase: Phase
    note: str = ""
    """Progress to display: `downloading CIFAR-10, 40%`."""
    epoch: Int64 | None = None
    compiling: bool = False
    """Whether the rank compiles its model; the other ranks may be waiting for it."""


class Steps(Base, frozen=True, kw_only=True, tag="steps"):
    """Consecutive optimizer steps of one rank, one list entry for each; `at` is the end of the last."""

    run: str
    rank: Int64
    first: Int64
    """Index of the first of these steps, counted from 0 and including warm-up."""
    seconds: list[float]
    loss: list[float | None]
    """Loss of each step; None where it was not finite."""
    samples: list[Int64]
    """Samples consumed by this rank."""
    learning_rate: list[float]

    @property
    def not_finite(self) -> int | None:
        """Index of the first of these steps whose loss was not finite; None if there was none."""
        return self.first + self.loss.index(None) if None in self.loss else None


class MetricsLost(Base, frozen=True, kw_only=True, tag="metrics lost"):
    """Steps whose metrics were dropped because the queue was full; training did not wait."""

    run: str
    rank: Int64
    steps: Int64
    not_finite: Int64 | None = None
    """Index of the first of these steps whose loss was not finite; None if there was none, or the losses were
    never read."""


class Window(Base, frozen=True, kw_only=True, tag="window"):
    """One measured window of one rank, with its own samples and seconds."""

    run: str
    rank: Int64
    index: Int64
    """Number of the window; equal on all ranks."""
    steps: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    samples: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    seconds: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    epoch: Int64 | None = None


class Evaluation(Base, frozen=True, kw_only=True, tag="evaluation"):
    """Score and loss after an epoch, over the whole test set, summed over all ranks."""

    run: str
    rank: Int64
    epoch: Int64
    """Number of the epoch, counted from 1."""
    train_loss: float | None
    """Mean training loss over the steps of the epoch."""
    train_accuracy: float | None
    """Score over the epoch, a share of 1: for images the accuracy; None for trainings without one."""
    test_loss: float | None
    test_accuracy: float | None
    seconds: float
    """Training time of the epoch on the slowest rank, in s, evaluation excluded."""


class Breakdown(Base, frozen=True, kw_only=True, tag="breakdown"):
    """Seconds that one rank spent in each part of a step; one list entry for each step of the detail phase.

    The parts follow each other; the rest of `step` is unaccounted for.
    """

    run: str
    rank: Int64
    step: list[float]
    input: list[float]
    """Time waiting for `next(batches)`."""
    transfer: list[float]
    """Time copying the batch to the device."""
    forward: list[float]
    """Time of the forward pass, including the loss."""
    backward: list[float]
    """Time of the backward computation: until the rank's last gradient bucket was ready, without
    `dividing`."""
    dividing: list[float] = []
    """DDP with several ranks: time of dividing the buckets by the number of ranks, within backward. Only the
    detail phase does it apart: in other steps DDP divides while it fills a bucket. Empty otherwise, and in
    journals whose version did not measure it."""
    exposed: list[float]
    """Communication that no computation hides: from the last bucket being ready to the end of the rank's last
    collective, and the broadcast of buffers before forward."""
    copying: list[float] = []
    """DDP with several ranks: from there to the end of the backward pass, while averaged gradients are
    copied from the buckets to their parameters. Empty otherwise, and in journals whose version did not
    measure it."""
    optimizer: list[float]
    exchange: dict[Exchange, list[float]] = {}
    """DataParallel's operations, timed on its first device. Scatter, replicate and gather are part of
    forward, reduce of backward; gather includes the wait for the slowest device."""


class BucketTimes(Struct, frozen=True):
    """The all-reduce of one gradient bucket, one list entry for each step; times are comparable between
    ranks."""

    bytes: Int64
    start: list[float]
    end: list[float]


class CommunicationMeasured(Base, frozen=True, kw_only=True, tag="communication"):
    """The cost of gradient synchronisation on one rank, measured after the windows."""

    run: str
    rank: Int64
    buckets: list[BucketTimes]
    """Gradient buckets in the order in which they became ready; empty where the mode has none."""
    synchronised: list[float]
    """Mean step time of each turn with gradient synchronisation, in s."""
    unsynchronised: list[float]
    """Mean step time of each turn under `no_sync`, in s, taken alternately; empty where the mode has none."""
    buffers: list[float] = []
    """Time of broadcasting the model's buffers before forward in each of the buckets' steps, in s,
    including the wait for rank 0; empty for models without buffers."""
    clock_error: float = 0.0
    """Error of the bucket times relative to the ranks' shared clock, in s."""


class BandwidthMeasured(Base, frozen=True, kw_only=True, tag="bandwidth"):
    """Times of a collective by size on otherwise idle ranks; sent by rank 0."""

    run: str
    rank: Int64
    collective: Collective
    sizes: list[Int64]
    """Buffer sizes in bytes, counted as in nccl-tests."""
    seconds: list[float]
    """Median time on the slowest rank, for each size."""


class ComputeMeasured(Base, frozen=True, kw_only=True, tag="compute"):
    """Arithmetic of a step, and the device's peak."""

    run: str
    rank: Int64
    flop_per_step: Int64 | None
    """FLOP of this rank's forward and backward pass, by torch's flop counter; None if it cannot count the
    model."""
    peak_flop_per_second: float | None
    """Rate of a large matrix product in the run's precision on the slowest of the rank's devices, measured
    last."""


class RankMeasured(Base, frozen=True, kw_only=True, tag="rank measured"):
    """Completion of a rank's measurement; its figures stand whatever happens in the detail phase."""

    run: str
    rank: Int64
    stop_reason: str
    """Reason that measuring ended: `interval ±0.8% within 1%`, `time limit of 30 s`, `5 epochs`."""
    peak_memory_bytes: list[Int64 | None]
    """Peak memory allocated while measuring, for each device of the rank; on a CPU, peak resident memory."""
    peak_reserved_bytes: list[Int64 | None]
    settled: bool = True
    """Whether the step time had settled when warm-up ended at its time limit or before."""
    replicas_equal: bool | None = None
    """DDP only: whether all ranks ended with bitwise equal parameters."""
    allocator_retries: list[Int64 | None] = []
    """Number of times the allocator freed its cache to satisfy a request while measuring, for each device."""
    energy_joules: list[float | None] = []
    """Energy by NVML's counter over the measured windows, for each device of the rank."""
    energy_samples: Int64 | None = None
    """Samples consumed by this rank while energy was counted."""
    compiled_graphs: Int64 | None = None
    """Graphs that torch compiled of the model; 0 if none, None if compilation was not requested."""
    replaced_images: list[UnreadImages] = []
    """Images found to be unreadable by this rank while it trained; others of their class took their place."""


class RankFinished(Base, frozen=True, kw_only=True, tag="rank finished"):
    """Completion of a rank, which is about to exit."""

    run: str
    rank: Int64
    steps: Int64
    """Total steps trained, including warm-up and the detail phase."""
    samples: Int64
    """Samples consumed in those steps."""
    detail_trouble: str = ""
    """Reason that the detail phase ended early, one sentence."""


class RankFailed(Base, frozen=True, kw_only=True, tag="rank failed"):
    """Failure of a rank that could still report it."""

    run: str
    rank: Int64
    kind: FailureKind
    message: str
    """One sentence; the traceback is in the rank's log."""


class Failure(Struct, frozen=True):
    """Cause of a run's failure: the rank that failed first, not those that failed as a consequence."""

    kind: FailureKind
    rank: Int64 | None
    message: str
    log: str | None
    """Path of the rank's log, relative to the session's folder."""


class RunFinished(Base, frozen=True, kw_only=True, tag="run finished"):
    """Exit of all processes of a run."""

    run: str
    outcome: Outcome
    reason: str = ""
    """Reason that the run was skipped or stopped."""
    failure: Failure | None = None
    detail_trouble: str = ""
    """Reason that a rank was lost in the detail phase of a measured run, one sentence."""


class Sampled(Base, frozen=True, kw_only=True, tag="sampled"):
    """One sample of all devices."""

    gpus: list[GpuSample]
    cpu: CpuSample


class LogMessage(Base, frozen=True, kw_only=True, tag="said"):
    """A message to the user from the session process."""

    level: Literal["info", "warning", "error"]
    text: str
    run: str | None = None


class SessionFinished(Base, frozen=True, kw_only=True, tag="session finished"):
    """End of a session; the last line of its journal unless the process was killed."""

    outcome: SessionOutcome
    reason: str = ""
    """Cause of an interruption, one sentence without a full stop."""


RankEvent = (
    RankStarted
    | ModelBuilt
    | PhaseChanged
    | Steps
    | MetricsLost
    | Window
    | Evaluation
    | Breakdown
    | CommunicationMeasured
    | BandwidthMeasured
    | ComputeMeasured
    | RankMeasured
    | RankFinished
    | RankFailed
)
"""Events that a rank sends over its queue, in batches about ten times a second."""

Event = (
    RankEvent
    | SessionStarted
    | RunsAdded
    | RunTakenOver
    | RunStarted
    | RunFinished
    | Sampled
    | LogMessage
    | SessionFinished
)

decode = msgspec.json.Decoder(Event).decode
