"""Traffic of a step by mode, derived from the workload and not measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ...plan.plan import RunSpec
from ...plan.workload.language_models import vocabulary_of
from ...plan.workload.trainings import own_training
from ...record.events import Piece

Operation = (
    Literal["all-reduce", "all-gather", "reduce-scatter", "broadcast"]
    | Literal["replicate", "scatter", "gather", "reduce"]
)

FLOAT_BYTES = 4
"""Bytes of a value: autocast casts inside the model, so that what travels are 32-bit floats. FSDP's pieces
have sizes of their own: in 16 bits it casts parameters before it gathers them."""
COMPRESSED_BYTES = 2
"""Bytes of a value of 16 bits, as ddp sends gradients that it compresses."""
INDEX_BYTES = 8
"""Bytes of a token of a batch, which torch holds as an integer of 64 bits."""
CHANNELS = 3


class Traffic(Struct, frozen=True):
    """One operation of a step."""

    operation: Operation
    what: str
    """`gradients`, `parameters`, `buffers`, `images`, `tokens` or `outputs`."""
    times: int
    """Number of times in a step."""
    bytes: int
    """Buffer size of each time, counted as in nccl-tests."""
    link_bytes: int
    """Bytes that the busiest device sends, or receives if that is more, over all times."""
    pieces: int = 1
    """Number of messages each time, if known: FSDP's units."""


class Sizes(Struct, frozen=True):
    """Sizes of a model's communicated parts."""

    weights: int
    """Bytes of the parameters, or of their gradients."""
    buffers: int
    """Bytes of the model's buffers."""
    pieces: tuple[Piece, ...]
    """FSDP only: units gathered at a time."""


def sizes_of(parameters: int, buffer_bytes: int | None, pieces: Sequence[Piece]) -> Sizes:
    """Return the sizes of a model.

    Unsharded, all parameters form one piece, gathered for forward and again for backward.
    """
    weights = parameters * FLOAT_BYTES
    return Sizes(weights, buffer_bytes or 0, tuple(pieces) or (Piece(weights, gathers=2),))


def traffic(spec: RunSpec, sizes: Sizes | None) -> tuple[Traffic, ...]:
    """Return the operations of one step of a run; empty if its devices do not communicate."""
    if sizes is None or spec.device_count < 2:
        return ()
    if spec.mode == "ddp":
        return (
            *([Traffic("broadcast", "buffers", 1, sizes.buffers, sizes.buffers)] if sizes.buffers else []),
            _ring("all-reduce", "gradients", 1, gradient_bytes(spec, sizes), spec.device_count),
        )
    if spec.mode == "fsdp":
        return _sharded(spec, sizes.pieces)
    return _data_parallel(spec, sizes) if spec.mode == "dp" else ()


def gradient_bytes(spec: RunSpec, sizes: Sizes) -> int:
    """Return the size of the gradients that ddp all-reduces in a step."""
    compressed = spec.workload.compress_gradients != "none"
    return sizes.weights * COMPRESSED_BYTES // FLOAT_BYTES if compressed else sizes.weights


def _ring(operation: Operation, what: str, times: int, size: int, ranks: int, pieces: int = 1) -> Traffic:
    """Return a ring collective: an all-reduce sends 2(N-1)/N of its buffer, the others half of that."""
    halves = 2 if operation == "all-reduce" else 1
    return Traffic(operation, what, times, size, times * halves * size * (ranks - 1) // ranks, pieces)


def _sharded(spec: RunSpec, pieces: Sequence[Piece]) -> tuple[Traffic, ...]:
    """Return the all-gathers, grouped by frequency, then the reduce-scatter of all gradients."""
    gathered: dict[int, list[int]] = {}
    for piece in pieces:
        gathered.setdefault(piece.gathers, []).append(piece.bytes)
    return (
        *(
            _ring("all-gather", "parameters", times, sum(sizes), spec.device_count, len(sizes))
            for times, sizes in sorted(gathered.items(), reverse=True)
        ),
        _ring(
            "reduce-scatter",
            "gradients",
            1,
            sum(piece.reduced_bytes for piece in pieces),
            spec.device_count,
            len(pieces),
        ),
    )


def _data_parallel(spec: RunSpec, sizes: Sizes) -> tuple[Traffic, ...]:
    """Return the traffic between GPU 0 and the N-1 others; no ring is involved."""
    others, workload, weights = spec.device_count - 1, spec.workload, sizes.weights
    times, buffers = workload.accumulate, sizes.buffers
    batch = spec.global_batch // times
    if workload.training == "tokens":
        noun, tokens = "tokens", batch * workload.sequence_length
        # The last layer of a language model gives its outputs in 16 bits where it computes in them.
        width = COMPRESSED_BYTES if workload.precision in ("fp16", "bf16") else FLOAT_BYTES
        inputs, outputs = tokens * INDEX_BYTES, tokens * vocabulary_of(workload) * width
    else:
        noun, inputs = "images", batch * CHANNELS * workload.image_size**2 * FLOAT_BYTES
        outputs = batch * workload.classes * FLOAT_BYTES

    def sent(operation: Operation, what: str, size: int, through_first: int) -> Traffic:
        return Traffic(operation, what, times, size, times * through_first)

    # Of other trainings only their files know what a batch holds, and the loss alone comes back.
    known = own_training(workload.training) is None
    return (
        *([sent("scatter", noun, inputs, inputs * others // spec.device_count)] if known else []),
        sent("replicate", "parameters", weights, weights * others),
        *([sent("replicate", "buffers", buffers, buffers * others)] if buffers else []),
        *([sent("gather", "outputs", outputs, outputs * others // spec.device_count)] if known else []),
        sent("reduce", "gradients", weights, weights * others),
    )
