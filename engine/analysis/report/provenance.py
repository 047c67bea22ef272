"""The origin of each figure: measured, derived from measurements, predicted by a model, or a datasheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ..results.result import Result

Kind = Literal["measured", "derived", "predicted", "datasheet"]


class Origin(Struct, frozen=True):
    """Origin of one figure; `field` is its path within a result of the JSON report."""

    field: str
    figure: str
    kind: Kind
    how: str


ORIGINS = (
    Origin(
        "throughput",
        "throughput",
        "measured",
        "samples of all ranks over the slowest rank's seconds, median over windows ± 1.4826 times the median "
        "absolute deviation; geometric mean of repeats",
    ),
    Origin("step_seconds", "step", "measured", "seconds over steps, median over windows"),
    Origin("throughput_per_device", "per device", "derived", "throughput over devices"),
    Origin("speedup", "speedup", "derived", "throughput over the baseline's, where both are comparable"),
    Origin("efficiency", "efficiency", "derived", "speedup over devices"),
    Origin("scaling", "scaling", "derived", "from the batches and device counts of the run and its baseline"),
    Origin(
        "concurrency_gain",
        "concurrency gain",
        "derived",
        "sum of the times alone over the longest time side by side, for as many samples; bounded by the "
        "number of devices, and no speedup of any training",
    ),
    Origin(
        "test_accuracy",
        "accuracy, loss",
        "measured",
        "on the whole test set, after the last epoch, over all ranks",
    ),
    Origin("epoch_seconds", "epoch", "measured", "training time of the slowest rank, evaluation excluded"),
    Origin(
        "peak_memory_bytes",
        "peak memory",
        "measured",
        "most that torch had allocated on any one device while measuring; on a CPU, peak resident memory of "
        "the rank that used most, libraries included",
    ),
    Origin(
        "phases",
        "step time breakdown",
        "measured",
        "events in the device's stream, or clocks on a CPU, in the detail phase after the windows; means "
        "over steps",
    ),
    Origin(
        "communication.bytes_per_step",
        "bytes per step",
        "measured",
        "sizes of DDP's gradient buckets; marked derived where it is parameters times 4 bytes",
    ),
    Origin(
        "communication.traffic",
        "traffic by the mode's model",
        "derived",
        "parameters, images and outputs of 4 bytes, and buffers; ddp and fsdp as rings, a broadcast as a "
        "chain, dp from and to GPU 0",
    ),
    Origin(
        "communication.buckets",
        "wait, transfer",
        "measured",
        "a communication hook on a clock shared by the ranks: from a rank's own start to the last rank's, "
        "and from there to the last rank's end; queueing behind another bucket counts as transfer",
    ),
    Origin(
        "communication.exposed_seconds",
        "exposed",
        "measured",
        "from a rank's last bucket being ready to the end of its last all-reduce, and before forward the "
        "broadcast of buffers; median over steps",
    ),
    Origin(
        "communication.exchange",
        "DataParallel's own operations",
        "measured",
        "events on the first device around scatter, replicate, gather and the reduction of gradients, in the "
        "phase after the windows; gather holds the wait for the slowest device; means over steps",
    ),
    Origin(
        "communication.overlap", "overlap", "derived", "1 - exposed over the span of a step's communication"
    ),
    Origin(
        "communication.sync_cost",
        "sync cost",
        "measured",
        "a step of the slowest rank less one under no_sync, median of alternate turns, with its interval",
    ),
    Origin(
        "communication.busbw",
        "algbw, busbw",
        "derived",
        "bytes over seconds; times 2(N-1)/N for an all-reduce, else (N-1)/N, as nccl-tests define it",
    ),
    Origin(
        "communication.curves",
        "bandwidth curve",
        "measured",
        "the collective alone on the same ranks by size, the median over repetitions of the slowest rank; of "
        "several repeats of the run the median at each size; from 1 KiB to 256 MiB as far as an eighth of "
        "the free memory and two seconds allow",
    ),
    Origin(
        "communication.utilisation",
        "bandwidth utilisation",
        "derived",
        "time that the curve gives for the same buckets over the time in which one was under way",
    ),
    Origin(
        "communication.predicted_seconds",
        "predicted sync",
        "predicted",
        "what the curve gives for each bucket, latency included, summed; overlap with computation is not "
        "modelled. fsdp: each block's all-gathers, for forward and for backward, and its reduce-scatter",
    ),
    Origin(
        "communication.link_bandwidth",
        "link rate",
        "datasheet",
        "NVLinks that NVML counted times one link's rate; between PCIe switches lanes times a lane's rate",
    ),
    Origin(
        "communication.wrapper", "DDP's wrapper", "derived", "throughput of DDP on one device over single's"
    ),
    Origin(
        "compute.flop_per_step",
        "FLOP per step",
        "derived",
        "torch's flop counter over one forward and backward",
    ),
    Origin("compute.flop_per_second", "FLOP/s", "derived", "FLOP per step over the windows' step"),
    Origin(
        "compute.peak_flop_per_second",
        "peak",
        "measured",
        "a large matrix product in the same precision on the same device, after the windows",
    ),
    Origin("compute.mfu", "MFU", "derived", "FLOP/s over that measured peak"),
    Origin(
        "compute.datasheet_flop_per_second", "datasheet peak", "datasheet", "dense peak in that precision"
    ),
    Origin(
        "compute.joules_per_sample",
        "energy",
        "measured",
        "NVML's energy counter over the measured windows, whole devices with all that runs on them",
    ),
    Origin(
        "gpus",
        "each GPU",
        "measured",
        "by NVML about twice a second while windows were measured; torch's peak by its allocator",
    ),
    Origin(
        "others_on_cpus",
        "other programs on its CPUs",
        "measured",
        "busy time of the CPUs that its ranks may use less the CPU time of the session's processes, from the "
        "kernel's counters about twice a second while windows were measured; mean",
    ),
    Origin(
        "compute.headroom",
        "headroom",
        "derived",
        "memory less the peak in use, by torch or NVML",
    ),
)


def origins(found: Sequence[Result]) -> list[Origin]:
    """Return the origins of the figures that at least one result has."""
    return [origin for origin in ORIGINS if any(_get(result, origin.field) for result in found)]


def _get(result: Result, path: str) -> bool:
    value: object = result
    for name in path.split("."):
        value = getattr(value, name, None)
    return value is not None and value not in ((), {})
