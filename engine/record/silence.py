"""The silence after which a rank counts as hung."""

from __future__ import annotations

from ..plan.plan import RunSpec

TRAINING = ("warming up", "measuring")
"""Phases in which a rank reports one step after the other."""
LEAST_SECONDS = 30.0
"""Silence that every rank is allowed, however short its steps."""
TIMES = 10.0
"""Silence that a rank is allowed, in multiples of its longest step so far or of a window."""
FEWEST_STEPS = 10
"""Steps after which the longest one tells how long others may take."""


def silence_allowed(spec: RunSpec, rank: int, phase: str, steps: int, longest: float | None) -> float:
    """Return the seconds without progress after which a rank counts as hung, at most `hang_seconds`.

    `steps`: the number of steps that the rank has reported, `longest`: the seconds of the longest of them.
    A host may submit a window at once, whose steps are reported when all are done.

    On a GPU whose data are resident nothing but the GPU can hold up a step: a kernel that never ends, or a
    collective whose peer is lost. A loader waits for files, an evaluation and the detail phase do what no
    step has done before, and a CPU is shared with other programs: there nothing shortens the limit.
    """
    most = spec.measure.hang_seconds
    on_gpu = all(device.kind == "cuda" for device in spec.devices_of(rank))
    resident = spec.workload_of(rank).placement == "device"
    if not (on_gpu and resident and phase in TRAINING and longest is not None and steps >= FEWEST_STEPS):
        return most
    return min(most, max(LEAST_SECONDS, TIMES * max(longest, spec.measure.window_seconds)))
