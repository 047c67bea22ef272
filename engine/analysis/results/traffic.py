"""What a mode sends each step, by its own model: derived from the workload, not measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ...plan.plan import RunSpec
from ...record.events import Piece

Operation = (
    Literal["all-reduce", "all-gather", "reduce-scatter", "broadcast"]
    | Literal["replicate", "scatter", "gather", "reduce"]
)

FLOAT_BYTES = 4
"""Bytes of a value: autocast casts inside the model, so that what travels are 32-bit floats. FSDP's pieces
have sizes of their own: in 16 bits it casts parameters before it gathers them."""
CHANNELS = 3


class Traffic(Struct, frozen=True):
    """One operation of a step."""

    operation: Operation
    what: str
    """`gradients`, `parameters`, `buffers`, `images` or `outputs`."""
    times: int
    """How often in a step."""
    bytes: int
    """All of it, each time, as nccl-tests count it."""
    link_bytes: int
    """What the busiest device sends, or receives where that is more, for all of them together."""
    pieces: int = 1
    """In how many messages it travels each time, where they are known: fsdp's blocks."""


class Sizes(Struct, frozen=True):
    """What of a model travels."""

    weights: int
    """Bytes of its parameters, or of their gradients."""
    buffers: int
    """Bytes of what it keeps and does not train."""
    pieces: tuple[Piece, ...]
    """In fsdp, what is gathered at a time."""


def sizes_of(parameters: int, buffer_bytes: int | None, pieces: Sequence[Piece]) -> Sizes:
    """Those of a model; without pieces all parameters are one, gathered for forward and for backward."""
    weights = parameters * FLOAT_BYTES
    return Sizes(weights, buffer_bytes or 0, tuple(pieces) or (Piece(weights, gathers=2),))


def traffic(spec: RunSpec, sizes: Sizes | None) -> tuple[Traffic, ...]:
    """The operations of one step of a run; none where its devices do not speak with each other."""
    if sizes is None or spec.device_count < 2:
        return ()
    if spec.mode == "ddp":
        return (
            *([Traffic("broadcast", "buffers", 1, sizes.buffers, sizes.buffers)] if sizes.buffers else []),
            _ring("all-reduce", "gradients", 1, sizes.weights, spec.device_count),
        )
    if spec.mode == "fsdp":
        return _sharded(spec, sizes.pieces)
    return _data_parallel(spec, sizes) if spec.mode == "dp" else ()


def _ring(operation: Operation, what: str, times: int, size: int, ranks: int, pieces: int = 1) -> Traffic:
    """A collective in a ring: an all-reduce sends 2(N-1)/N of its buffer, the two others half of that."""
    halves = 2 if operation == "all-reduce" else 1
    return Traffic(operation, what, times, size, times * halves * size * (ranks - 1) // ranks, pieces)


def _sharded(spec: RunSpec, pieces: Sequence[Piece]) -> tuple[Traffic, ...]:
    """All pieces that are gathered equally often together, then the gradients of all."""
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
    """What GPU 0 sends to the N-1 others and receives from them; no ring is involved."""
    others, workload, batch, weights = spec.device_count - 1, spec.workload, spec.global_batch, sizes.weights
    buffers = sizes.buffers
    images = batch * CHANNELS * workload.image_size**2 * FLOAT_BYTES
    outputs = batch * workload.classes * FLOAT_BYTES
    return (
        Traffic("scatter", "images", 1, images, images * others // spec.device_count),
        Traffic("replicate", "parameters", 1, weights, weights * others),
        *([Traffic("replicate", "buffers", 1, buffers, buffers * others)] if buffers else []),
        Traffic("gather", "outputs", 1, outputs, outputs * others // spec.device_count),
        Traffic("reduce", "gradients", 1, weights, weights * others),
    )
