"""The paces of runs on this machine, remembered from one session to the next in a file among the sessions."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ..host.facts import Host
from ..plan.pace import Pace
from ..plan.plan import Plan, RunSpec
from ..plan.workload.workload import Workload
from ..statistics import median
from ..text.encoding import decode_json, encode_json
from ..text.files import read_whole, replace_private
from .run import RunState

MOST_PACES = 5000
"""Paces that are kept; of more, the newest."""
BESIDE_THE_PACE = frozenset({
    "name", "batch", "batch_scope", "seed", "images",
    "learning_rate", "learning_rate_batch", "momentum", "weight_decay", "milestones", "gamma",
    "warmup_epochs",
})  # fmt: skip
"""Fields of a workload that do not change the time of a step, and the batch, which counts per device."""


def paces_file(root: Path) -> Path:
    """Return the file of the paces in the folder of the sessions."""
    return root / ".paces"


def read_paces(root: Path) -> dict[str, Pace]:
    """Return the paces remembered in the folder of the sessions, oldest first; none if unreadable."""
    try:
        return decode_json(read_whole(paces_file(root)), dict[str, Pace])
    except (OSError, msgspec.DecodeError, ValueError):
        return {}


def remember_pace(root: Path, key: str, pace: Pace) -> None:
    """Remember a pace, its start the shortest so far: the first of a session imports torch too.

    Where nothing can be written nothing is remembered. What two sessions write at once, one of them loses.
    """
    known = read_paces(root)
    earlier = known.pop(key, None)
    if earlier is not None:
        pace = replace(pace, start=min(pace.start, earlier.start))
    newest = list({**known, key: pace}.items())[-MOST_PACES:]
    with contextlib.suppress(OSError):
        replace_private(paces_file(root), encode_json(dict(newest)))


def with_paces(plan: Plan, host: Host, paces: Mapping[str, Pace]) -> Plan:
    """Return a plan with the paces that are known of its runs."""
    found = {spec.id: paces.get(pace_key(spec, host)) for spec in plan.to_run}
    return replace(plan, paces={run: pace for run, pace in found.items() if pace is not None})


def shown_pace(run: RunState, began: float, ended: float) -> Pace | None:
    """Return the pace that a measured run has shown; None where its parts are not known."""
    training, measuring = run.entered.get("warming up"), run.entered.get("measuring")
    windows = run.complete_windows
    over = run.windows_ended
    if training is None or measuring is None or over is None or not windows:
        return None
    epochs = run.spec.measure.epochs
    return Pace(
        start=training - began,
        warm_up=measuring - training,
        step=median([window.seconds / window.steps for window in windows]),
        epoch=(over - measuring) / epochs if epochs else None,
        detail=ended - over,
    )


def pace_key(spec: RunSpec, host: Host) -> str:
    """Return a digest of all that decides how fast a run is: machine, software, mode, devices, workloads."""
    workloads = [_fields(workload) for workload in spec.workloads]
    devices = [(device.kind, device.name) for device in spec.devices]
    machine = (host.name, host.cpu.model, len(host.cpu.cores), host.software.torch, host.software.driver)
    everything = (machine, spec.mode, devices, spec.batch_per_device(), workloads)
    return sha256(repr(everything).encode()).hexdigest()[:16]


def _fields(workload: Workload) -> list[tuple[str, str]]:
    return [
        (name, str(getattr(workload, name)))
        for name in Workload.__struct_fields__
        if name not in BESIDE_THE_PACE
    ]
