"""The silence after which a rank counts as hung."""

from __future__ import annotations

from typing import NamedTuple

from ..plan.plan import RunSpec
from ..text.units import clock
from .run import RankState, RunState

TRAINING = ("warming up", "measuring")
"""Phases in which a rank reports one step after the other."""
LEAST_SECONDS = 30.0
"""Silence that every rank is allowed, however short its steps."""
TIMES = 10.0
"""Silence that a rank is allowed, in multiples of its longest step so far or of a window."""
FEWEST_STEPS = 10
"""Steps after which the longest one tells how long others may take."""
LONGEST_COMPILATION = 1800.0
"""Time after which a compilation that reports itself no longer counts as progress, in s: a compiler may wait
for a kernel that never ends, which uses the CPU too."""
COMPILE_TIMES = 5.0
"""Silence that the first step is allowed while torch.compile compiles the model, in multiples of
`hang_seconds`."""


def silence_allowed(spec: RunSpec, rank: int, phase: str, steps: int, longest: float | None) -> float:
    """Return the seconds without progress after which a rank counts as hung.

    That is at most `hang_seconds`, and more only for the first step of a compiled model. `steps`: the number
    of steps that the rank has reported, `longest`: the seconds of the longest of them. A host may submit a
    window at once, whose steps are reported when all are done.

    On a GPU whose data are resident nothing but the GPU can hold up a step: a kernel that never ends, or a
    collective whose peer is lost. A loader waits for files, an evaluation and the detail phase do what no
    step has done before, and a CPU is shared with other programs: there nothing shortens the limit.
    """
    most = spec.measure.hang_seconds
    if steps == 0 and phase in TRAINING and is_compiled(spec, rank):
        return COMPILE_TIMES * most
    on_gpu = all(device.kind == "cuda" for device in spec.devices_of(rank))
    resident = spec.workload_of(rank).placement == "device"
    if not (on_gpu and resident and phase in TRAINING and longest is not None and steps >= FEWEST_STEPS):
        return most
    return min(most, max(LEAST_SECONDS, TIMES * max(longest, spec.measure.window_seconds)))


def is_compiled(spec: RunSpec, rank: int) -> bool:
    """Return whether a rank's first step waits for torch.compile: its own, or that of a peer."""
    if spec.mode == "concurrent":
        return spec.workload_of(rank).compile
    return any(workload.compile for workload in spec.workloads)


class FirstStep(NamedTuple):
    """The wait for the first step of a run."""

    seconds: float
    """Time since the rank that has been silent for longest last reported anything; while the model is being
    compiled, since training began."""
    limit: float
    """Time after which it counts as hung, in s."""
    why: str
    """Reason for the limit."""

    def __str__(self) -> str:
        return f"first step: {clock(self.seconds)} of at most {clock(self.limit)} ({self.why})"


def first_step(run: RunState, now: float) -> FirstStep | None:
    """Return how long a run has waited for its first step; None before it trains, and from that step on."""
    if run.phase not in TRAINING:
        return None
    waiting = [(rank, number) for number, rank in run.ranks.items() if rank.steps == 0]
    if not waiting:
        return None
    if any(rank.compiling for rank in run.ranks.values()):
        began = run.entered.get("warming up", now)
        return FirstStep(now - began, LONGEST_COMPILATION, "torch.compile is at work")
    rank, number = min(waiting, key=lambda each: each[0].heard_at)
    compiled = f"{COMPILE_TIMES:.0f} x " if is_compiled(run.spec, number) else ""
    why = f"{compiled}measure.hang_seconds{', for torch.compile' if compiled else ''}"
    return FirstStep(max(0.0, now - rank.heard_at), allowed_silence(run, number, rank), why)


def allowed_silence(run: RunState, number: int, rank: RankState) -> float:
    """Return the seconds without progress after which a rank of a run in progress counts as hung."""
    longest = max((bucket.high for bucket in rank.step_seconds.buckets()), default=None)
    return silence_allowed(run.spec, number, rank.phase, rank.steps, longest)
