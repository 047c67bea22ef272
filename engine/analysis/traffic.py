"""What a mode sends each step, by its own model: derived from the workload, not measured."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ..plan.plan import RunSpec

Operation = Literal["all-reduce", "all-gather", "reduce-scatter", "replicate", "scatter", "gather", "reduce"]

FLOAT_BYTES = 4
"""Parameters, gradients, images and outputs are 32-bit floats; mixed precision casts inside the model."""
CHANNELS = 3


class Traffic(Struct, frozen=True):
    """One operation of a step."""

    operation: Operation
    what: str
    """`gradients`, `parameters`, `images` or `outputs`."""
    times: int
    """How often in a step."""
    bytes: int
    """The whole buffer, each time, as nccl-tests count it."""
    link_bytes: int
    """What the busiest device sends, or receives where that is more, for all of them together."""


def traffic(spec: RunSpec, parameters: int | None) -> tuple[Traffic, ...]:
    """The operations of one step of a run; none where its devices do not speak with each other."""
    if parameters is None or spec.device_count < 2:
        return ()
    weights = parameters * FLOAT_BYTES
    if spec.mode == "ddp":
        return (_ring("all-reduce", "gradients", 1, weights, spec.device_count),)
    if spec.mode == "fsdp":
        return (
            _ring("all-gather", "parameters", 2, weights, spec.device_count),
            _ring("reduce-scatter", "gradients", 1, weights, spec.device_count),
        )
    return _data_parallel(spec, weights) if spec.mode == "dp" else ()


def _ring(operation: Operation, what: str, times: int, size: int, ranks: int) -> Traffic:
    """A collective in a ring: an all-reduce sends 2(N-1)/N of its buffer, the two others half of that."""
    halves = 2 if operation == "all-reduce" else 1
    return Traffic(operation, what, times, size, times * halves * size * (ranks - 1) // ranks)


def _data_parallel(spec: RunSpec, weights: int) -> tuple[Traffic, ...]:
    """What GPU 0 sends to the N-1 others and receives from them; no ring is involved."""
    others, workload, batch = spec.device_count - 1, spec.workload, spec.global_batch
    images = batch * CHANNELS * workload.image_size**2 * FLOAT_BYTES
    outputs = batch * workload.classes * FLOAT_BYTES
    return (
        Traffic("scatter", "images", 1, images, images * others // spec.device_count),
        Traffic("replicate", "parameters", 1, weights, weights * others),
        Traffic("gather", "outputs", 1, outputs, outputs * others // spec.device_count),
        Traffic("reduce", "gradients", 1, weights, weights * others),
    )
