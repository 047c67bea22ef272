"""The vocabulary of a session: everything that is recorded of it is one of these events.

Every event carries `at`, seconds since the session started, on the machine's monotonic clock, which all its
processes share. Ranks send events over their queue; the session process adds its own and writes the journal.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from ..host.facts import CpuSample, GpuSample, Host
from ..plan.plan import Plan

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
"""What DataParallel does each step besides computing."""
Collective = Literal["all_reduce", "all_gather", "reduce_scatter"]
Outcome = Literal["measured", "failed", "skipped", "stopped"]
FailureKind = Literal["raised", "out of memory", "killed", "hung", "no data", "launch"]


class Base(Struct, frozen=True, kw_only=True, tag_field="event"):
    """What all events have."""

    at: float


class SessionStarted(Base, frozen=True, kw_only=True, tag="session started"):
    """First line of a journal."""

    format: int = 1
    """Version of the journal's vocabulary."""
    session: str
    """The session's name, its folder's name too."""
    program: str
    """Version of gpubench-tui."""
    unix_time: float
    pid: int
    host: Host
    plan: Plan


class RunStarted(Base, frozen=True, kw_only=True, tag="run started"):
    """A run's processes are being launched."""

    run: str


class RankStarted(Base, frozen=True, kw_only=True, tag="rank started"):
    """A rank is up: where it runs and with which settings."""

    run: str
    rank: int
    pid: int
    device: str
    """What torch calls it, e.g. `NVIDIA H200` or `cpu (1 thread)`."""
    settings: dict[str, str | int | float | bool]
    """What must be equal for two runs to be comparable: versions, threads, precision switches, ..."""


class Piece(Struct, frozen=True):
    """A part of a model's parameters that FSDP gathers at once, and whose gradients it reduces at once."""

    bytes: int
    """Size of what is gathered: the shards of all ranks, padded to equal ones, in the dtype that travels."""
    gathers: int
    """How often it is gathered in a step; its gradients are reduced and scattered once."""
    gradient_bytes: int | None = None
    """Size of what is reduced and scattered; None where it equals `bytes`."""

    @property
    def reduced_bytes(self) -> int:
        """Size of what is reduced and scattered."""
        return self.bytes if self.gradient_bytes is None else self.gradient_bytes


class ModelBuilt(Base, frozen=True, kw_only=True, tag="model built"):
    """The model and data are ready."""

    run: str
    rank: int
    parameters: int
    train_images: int
    test_images: int
    steps_per_epoch: int
    """Steps of one epoch on this rank."""
    buffer_bytes: int | None = None
    """Of what the model keeps and does not train, as a batch norm's statistics."""
    pieces: list[Piece] = []
    """In fsdp: what is gathered at a time, and its gradients reduced and scattered."""


class PhaseChanged(Base, frozen=True, kw_only=True, tag="phase"):
    """A rank entered a phase. Ranks also send it anew with a different `note` as a sign of progress."""

    run: str
    rank: int
    phase: Phase
    note: str = ""
    """For people: `downloading CIFAR-10, 40%`."""
    epoch: int | None = None
    compiling: bool = False
    """Whether the rank compiles its model; the other ranks may be waiting for it."""


class Steps(Base, frozen=True, kw_only=True, tag="steps"):
    """Consecutive optimizer steps of one rank, one list entry a step; `at` is when the last of them ended."""

    run: str
    rank: int
    first: int
    """Index of the first of these steps, counted from 0 with warm-up included."""
    seconds: list[float]
    loss: list[float | None]
    """None where the loss was not a finite number."""
    samples: list[int]
    """Samples this rank consumed."""
    learning_rate: list[float]


class MetricsLost(Base, frozen=True, kw_only=True, tag="metrics lost"):
    """Steps whose metrics were dropped because the queue was full; the training did not wait."""

    run: str
    rank: int
    steps: int


class Window(Base, frozen=True, kw_only=True, tag="window"):
    """One measured window of one rank: its own samples over its own seconds."""

    run: str
    rank: int
    index: int
    """The same window has the same index on every rank."""
    steps: int
    samples: int
    seconds: float
    epoch: int | None = None


class Evaluation(Base, frozen=True, kw_only=True, tag="evaluation"):
    """Accuracy and loss after an epoch, over the whole test set (all ranks' parts summed)."""

    run: str
    rank: int
    epoch: int
    """Counted from 1."""
    train_loss: float | None
    """Mean over the epoch's steps, while they were trained."""
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float
    seconds: float
    """Time the epoch's training took on the slowest rank, evaluation excluded."""


class Breakdown(Base, frozen=True, kw_only=True, tag="breakdown"):
    """Where the steps of one rank went, in seconds, one list entry a step of the detail phase.

    The parts follow each other; what they leave of `step` is unaccounted for.
    """

    run: str
    rank: int
    step: list[float]
    input: list[float]
    """Waiting for `next(batches)`."""
    transfer: list[float]
    """Copying the batch to the device."""
    forward: list[float]
    """Loss included."""
    backward: list[float]
    """Computation only: until the rank's last gradient bucket was ready."""
    exposed: list[float]
    """Communication that nothing hides: from there to the end of the rank's last collective, and before
    forward that of the buffers."""
    copying: list[float] = []
    """In ddp with several ranks: from there to the end of backward, while averaged gradients are copied from
    the buckets back to their parameters. Empty elsewhere, and where a journal's version did not mark it."""
    optimizer: list[float]
    exchange: dict[Exchange, list[float]] = {}
    """What DataParallel does besides computing, seen from its first device: to scatter, replicate and gather
    is within forward, to reduce within backward; gathering holds the wait for the slowest device."""


class BucketTimes(Struct, frozen=True):
    """One gradient bucket's all-reduce, one list entry a step; times as `at`, comparable between ranks."""

    bytes: int
    start: list[float]
    end: list[float]


class CommunicationMeasured(Base, frozen=True, kw_only=True, tag="communication"):
    """What synchronising the gradients costs one rank: measured after the windows."""

    run: str
    rank: int
    buckets: list[BucketTimes]
    """In the order in which they became ready; empty where the mode has none."""
    synchronised: list[float]
    """Seconds of a step, mean of each turn with gradient synchronisation."""
    unsynchronised: list[float]
    """The same under `no_sync`, in turns taken alternately with those; empty where a mode has none."""
    buffers: list[float] = []
    """Seconds before the forward of each of the buckets' steps in which the model's buffers are broadcast,
    the wait for rank 0 included; empty where the model has none."""
    clock_error: float = 0.0
    """Seconds by which the buckets' times may be off from the clock that the ranks share."""


class BandwidthMeasured(Base, frozen=True, kw_only=True, tag="bandwidth"):
    """What the same ranks' collectives reach when nothing else is done, by size; sent by rank 0."""

    run: str
    rank: int
    collective: Collective
    sizes: list[int]
    """Bytes, as nccl-tests counts them: the whole buffer."""
    seconds: list[float]
    """Median time of the slowest rank, for each size."""


class ComputeMeasured(Base, frozen=True, kw_only=True, tag="compute"):
    """How much arithmetic a step is, and how fast the device can be at it."""

    run: str
    rank: int
    flop_per_step: int | None
    """Of this rank, forward and backward, by torch's flop counter; None where it cannot count the model."""
    peak_flop_per_second: float | None
    """A large matrix product in the run's precision on the slowest of the rank's devices, measured last."""


class RankMeasured(Base, frozen=True, kw_only=True, tag="rank measured"):
    """A rank's measurement is complete: its figures stand, whatever happens in the detail phase."""

    run: str
    rank: int
    stop_reason: str
    """Why measuring ended: `interval ±0.8% within 1%`, `time limit of 30 s`, `5 epochs`."""
    peak_memory_bytes: list[int | None]
    """Most memory allocated while measuring, for each device of the rank; on a CPU peak resident memory."""
    peak_reserved_bytes: list[int | None]
    settled: bool = True
    """Whether the step time had settled when warm-up ended; it ends in any case after a while."""
    replicas_equal: bool | None = None
    """In ddp: whether all ranks ended with the same parameters, bit for bit."""
    allocator_retries: list[int | None] = []
    """How often the allocator had to free its cache to satisfy a request while measuring, for each device."""
    energy_joules: list[float | None] = []
    """By NVML's counter, over the measured windows, for each device of the rank."""
    energy_samples: int | None = None
    """Samples that this rank consumed while the energy was counted."""
    compiled_graphs: int | None = None
    """Graphs that torch compiled of the model, 0 where it found none; None where it was not asked to."""


class RankFinished(Base, frozen=True, kw_only=True, tag="rank finished"):
    """A rank is done and about to exit."""

    run: str
    rank: int
    steps: int
    """Steps trained in all, warm-up and detail phase included."""
    samples: int
    """Samples consumed in those steps."""
    detail_trouble: str = ""
    """Why the detail phase ended early, one sentence."""


class RankFailed(Base, frozen=True, kw_only=True, tag="rank failed"):
    """A rank met its own end and could still say why."""

    run: str
    rank: int
    kind: FailureKind
    message: str
    """One sentence; the traceback is in the rank's log."""


class Failure(Struct, frozen=True):
    """Why a run failed: the rank that went first, not those it took along."""

    kind: FailureKind
    rank: int | None
    message: str
    log: str | None
    """Path of the rank's log, relative to the session's folder."""


class RunFinished(Base, frozen=True, kw_only=True, tag="run finished"):
    """All processes of a run are gone."""

    run: str
    outcome: Outcome
    reason: str = ""
    """Why it was skipped or stopped."""
    failure: Failure | None = None
    detail_trouble: str = ""
    """Why a rank was lost in the detail phase of a measured run, one sentence."""


class Sampled(Base, frozen=True, kw_only=True, tag="sampled"):
    """The devices at one moment."""

    gpus: list[GpuSample]
    cpu: CpuSample


class LogMessage(Base, frozen=True, kw_only=True, tag="said"):
    """A line for people from the session process."""

    level: Literal["info", "warning", "error"]
    text: str
    run: str | None = None


class SessionFinished(Base, frozen=True, kw_only=True, tag="session finished"):
    """Last line of a journal whose session ended by itself or was stopped in order."""

    outcome: Literal["finished", "stopped"]


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
"""What a rank sends over its queue, as lists of events about ten times a second."""

Event = RankEvent | SessionStarted | RunStarted | RunFinished | Sampled | LogMessage | SessionFinished

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Event).decode
