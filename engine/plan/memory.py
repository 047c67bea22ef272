"""Memory that the training of a language model needs, estimated from its shape before anything starts.

Parameters, gradients and optimizer state follow from their number. Activations are what autograd keeps,
counted from a block's operations, with an attention that never holds its products of all pairs of tokens.
What libraries take for themselves, and what lies unused between allocations, is left out.
"""

from __future__ import annotations

from typing import NamedTuple

from ..host.facts import Host
from ..text.units import gib
from .plan import Device, RunSpec
from .workload.language_models import LANGUAGE_MODELS, LanguageModel, vocabulary_of
from .workload.workload import Workload

FULL, HALF = 4, 2
"""Bytes of a number of 32 and of 16 bits."""


class MemoryNeed(NamedTuple):
    """Estimate for one device, in bytes."""

    states: float
    """Parameters, gradients and optimizer state, with the buckets of ddp or the gathered blocks of fsdp."""
    activations: float
    """Activations beyond the memory of the gradients, which come as these go; all of them where gradients of
    earlier passes are there already."""

    @property
    def total(self) -> float:
        """The memory of the device that is needed."""
        return self.states + self.activations


def memory_need(spec: RunSpec, rank: int = 0) -> MemoryNeed | None:
    """Estimate what a rank needs on each of its devices; None where it trains no language model."""
    workload = spec.workload_of(rank)
    shape = LANGUAGE_MODELS.get(workload.model) if workload.training == "tokens" else None
    if shape is None:
        return None
    parameters = shape.parameters(vocabulary_of(workload))
    own = parameters / spec.device_count if spec.mode == "fsdp" else parameters
    moments = 2 if workload.optimizer == "adamw" else int(workload.momentum > 0)
    gradients = FULL * own
    states = FULL * own * (1 + moments) + gradients + _copies(spec, workload, shape)
    tokens = spec.batch_per_device(rank) * workload.sequence_length
    activations = tokens * _token_bytes(spec, workload, shape)
    return MemoryNeed(states, activations if workload.accumulate > 1 else max(0.0, activations - gradients))


def too_little_memory(spec: RunSpec, devices: tuple[Device, ...], host: Host) -> str | None:
    """Return why a run does not fit into the memory that is there, by the estimate; None where it does."""
    ranks = min(spec.world_size, len(spec.devices))
    needs = [need for rank in range(ranks) if (need := memory_need(spec, rank)) is not None]
    if not needs:
        return None
    largest = max(needs, key=lambda need: need.total)
    if devices[0].kind == "cpu":
        needed, present = sum(need.total for need in needs), host.cpu.memory_bytes
        if needed <= present:
            return None
        return _sentence(spec, largest, gib(needed), f"this machine has {gib(present)}")
    space = {gpu.index: gpu.memory_bytes for gpu in host.gpus}
    for device in spec.devices:
        memory = space.get(device.index)
        if memory is not None and largest.total > memory:
            there = f"GPU {device.index} ({device.name}) has {gib(memory)}"
            return _sentence(spec, largest, f"{gib(largest.total)} on each GPU", there)
    return None


def _sentence(spec: RunSpec, need: MemoryNeed, needed: str, there: str) -> str:
    share = need.states / need.total
    return (
        f"{spec.workload.model} needs about {needed} (estimated; {share:.0%} of it for parameters, "
        f"gradients and optimizer, the rest for activations), and {there}: {_remedy(spec, share)}"
    )


def _remedy(spec: RunSpec, share: float) -> str:
    """Return what would help, for a share of parameters, gradients and optimizer in what is needed."""
    if share < 0.5:
        lower = "lower workload.batch or workload.sequence_length"
        is_free = spec.workload.checkpoint_activations == "none"
        return f'set workload.checkpoint_activations = "every", or {lower}' if is_free else lower
    return "use more devices, or a smaller model" if spec.mode == "fsdp" else "use fsdp, or a smaller model"


def _copies(spec: RunSpec, workload: Workload, shape: LanguageModel) -> float:
    """Return the bytes of whatever else a step holds of parameters and gradients."""
    vocabulary = vocabulary_of(workload)
    parameters, outer = shape.parameters(vocabulary), shape.outer_parameters(vocabulary)
    used = HALF if _has_16_bits(workload) else FULL
    if spec.mode == "fsdp":
        # While one block is computed the next is gathered, and the gradients of the last are reduced.
        blocks = 2 * shape.block_parameters if workload.reshard_after_forward else parameters - outer
        # Until the last pass, which reduces them, each rank adds up the gradients of all parameters.
        whole = FULL * parameters if workload.accumulate > 1 else 0
        return used * (outer + blocks) + (used + FULL) * shape.block_parameters + whole
    cast = HALF * parameters if used == HALF else 0
    buckets = spec.mode == "ddp" and not workload.gradient_as_bucket_view
    return cast + (FULL * parameters if buckets else 0)


def _has_16_bits(workload: Workload) -> bool:
    return workload.precision in ("fp16", "bf16")


def _token_bytes(spec: RunSpec, workload: Workload, shape: LanguageModel) -> float:
    """Return what is kept of each token at the end of a forward pass, when that is most."""
    mixes = spec.mode != "fsdp"
    between = shape.width * (FULL if mixes or not _has_16_bits(workload) else HALF)
    block = block_bytes(shape, workload, mixes=mixes)
    checkpointed = _checkpointed(workload, shape)
    # Of those only the input is kept, and one at a time is computed anew.
    blocks = (shape.layers - checkpointed + min(checkpointed, 1)) * block + checkpointed * between
    # Logits, their copy in 32 bits where they have 16, and the logarithms of probabilities.
    logits = vocabulary_of(workload) * (HALF + 2 * FULL if _has_16_bits(workload) else 2 * FULL)
    return blocks + 2 * between + logits


def _checkpointed(workload: Workload, shape: LanguageModel) -> int:
    """Return how many blocks have their activations computed anew."""
    each = workload.checkpoint_activations
    if each == "none":
        return 0
    return shape.layers if each == "every" else shape.layers // each


def block_bytes(shape: LanguageModel, workload: Workload, *, mixes: bool) -> int:
    """Return what autograd keeps of a block for each token; `mixes` where autocast does the casting."""
    width, hidden = shape.width, shape.hidden
    heads = 2 * width + 2 * shape.key_value_width  # queries, keys, values, and what attention makes of them
    if shape.family == "gpt2":
        # Norms compute in 32 bits: under autocast their inputs are kept so.
        values, wide, copies = 4 * width + heads + 2 * hidden, 2 * width if mixes else 0, 0
    else:
        # RMSNorm keeps what it has normalised too. Autocast casts its result for each matrix anew.
        values, wide, copies = 7 * width + heads + 4 * hidden, 4 * width, 3 * width if mixes else 0
    if not _has_16_bits(workload):
        return FULL * values
    return HALF * (values + copies) + (FULL - HALF) * wide
