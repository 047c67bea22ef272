"""Remarks on a configuration that a reader needs to interpret its figures."""

from __future__ import annotations

from collections.abc import Iterator

from ...plan.plan import RunSpec
from ...text.units import percent
from .configuration import Configuration
from .devices import Compute, energy_error, is_above_its_peak

ENERGY_ERROR = 0.02
"""Share by which an energy may be wrong without a remark."""


def notes_on_configuration(configuration: Configuration, used: Compute | None) -> Iterator[str]:
    """Yield remarks on where its runs come from, how they were trained and what became of its repeats.

    `used`: how well it used its devices.
    """
    run, usable = configuration.representative, configuration.usable
    yield from _origin_notes(configuration)
    windows = sum(len(each.complete_windows) for each in usable)
    if run.state == "measured" and not windows:
        yield "no figures: no window was reported by all ranks"
    longest = max((each.window_length for each in usable), default=1)
    if longest > 1:
        yield f"each of its windows is {longest} measured ones merged, because there were thousands"
    yield from _training_notes(configuration)
    if is_above_its_peak(used):
        yield "MFU n/a: training was faster than the matrix product that was to show the peak"
    if run.state == "measured":
        for other in configuration.runs:
            if other.state in ("failed", "stopped", "skipped"):
                why = f" ({other.reason})" if other.reason else ""
                which = f"repeat {other.spec.repeat} of {len(configuration.runs)}"
                yield f"{which} does not count: {other.state}{why}"


def replicas_equal(configuration: Configuration) -> bool | None:
    """Return whether all ranks of a DDP run ended with bitwise equal parameters; None if not checked."""
    ends = (rank.measured for run in configuration.runs for rank in run.ranks.values())
    checked = [end.replicas_equal for end in ends if end is not None and end.replicas_equal is not None]
    return all(checked) if checked else None


def _earlier_sessions(configuration: Configuration) -> list[str]:
    return list(dict.fromkeys(run.taken_over for run in configuration.runs if run.taken_over))


def _origin_notes(configuration: Configuration) -> Iterator[str]:
    """Yield where runs come from that this session did not measure itself."""
    runs = configuration.runs
    for name in _earlier_sessions(configuration):
        repeats = [str(run.spec.repeat) for run in runs if run.taken_over == name]
        which = "" if len(runs) == 1 else f"repeat{'s' if len(repeats) > 1 else ''} {', '.join(repeats)} "
        yield f"{which}taken over from {name}"


def _training_notes(configuration: Configuration) -> Iterator[str]:
    """Yield remarks on how the configuration was trained and on what that does to its figures."""
    spec = configuration.spec
    if _waits_for_the_scaler(spec):
        yield (
            "the host waits for its GPU in each step: torch has no fused SGD for sharded parameters, so that "
            "the fp16 gradient scaler inspects gradients first; bf16 needs no scaler, and AdamW is fused"
        )
    if _never_settled(configuration):
        yield "step times had not settled when warm-up reached its time limit"
    error = energy_error(configuration)
    if error is not None and error > ENERGY_ERROR:
        yield f"energy is accurate to {percent(error)} only: its counter is slow for periods this short"
    if _compiled_nothing(configuration):
        yield (
            "compile = true had no effect: torch found no graph in the model to compile, which ran as written"
        )
    if _transposes(spec):
        yield (
            f"channels_last holds for images alone: the weights that {spec.mode} gives its devices are "
            "contiguous, and each convolution transposes them, which costs single and ddp nothing"
        )
    for trouble in _troubles(configuration):
        yield f"the detail phase ended early: {trouble}"
    if replicas_equal(configuration) is False and _alike(spec):
        yield "its ranks ended with different parameters: they did not train one model"


def _waits_for_the_scaler(spec: RunSpec) -> bool:
    workload, on_gpu = spec.workload, any(device.kind == "cuda" for device in spec.devices)
    return spec.mode == "fsdp" and on_gpu and (workload.optimizer, workload.precision) == ("sgd", "fp16")


def _never_settled(configuration: Configuration) -> bool:
    measured = [rank.measured for _, rank in configuration.ranks]
    return any(event is not None and not event.settled for event in measured)


def _compiled_nothing(configuration: Configuration) -> bool:
    measured = [rank.measured for _, rank in configuration.ranks]
    return any(event is not None and event.compiled_graphs == 0 for event in measured)


def _transposes(spec: RunSpec) -> bool:
    convolves = any(workload.channels_last for workload in spec.workloads)
    return convolves and spec.mode in ("dp", "fsdp")


def _troubles(configuration: Configuration) -> list[str]:
    """Return why detail phases ended early, each reason once."""
    found: list[str] = []
    for run in configuration.usable:
        own = [rank.finished.detail_trouble for rank in run.ranks.values() if rank.finished]
        # Where a rank was lost, the others complain only of that.
        found += [run.detail_trouble] if run.detail_trouble else own
    return list(dict.fromkeys(filter(None, found)))


def _alike(spec: RunSpec) -> bool:
    """Return whether all devices are of one model: others may round differently, training as they should."""
    return len({device.name for device in spec.devices if device.kind == "cuda"}) < 2
