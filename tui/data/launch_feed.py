"""Looking at the presets, this machine and its devices for as long as somebody sees the launch screen."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from textual.message import Message

if TYPE_CHECKING:
    from ...engine.host.facts import CpuSample, GpuSample
    from .planned_presets import Inspection

SAMPLE_SECONDS = 1.0
LOOK_SECONDS = 5.0
"""The machine is looked at anew at most so often, when its GPUs' processes or the sessions have changed."""


class LaunchOptions(NamedTuple):
    """What the user said on the command line."""

    gpus: Sequence[int] | None = None
    """Indices of the GPUs to use; None for all."""
    overrides: Sequence[str] = ()
    """`key=value`, for any preset."""


class MachineInspected(Message):
    """More is known."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__()
        self.inspection = inspection


class DevicesSampled(Message):
    """A sample of the devices."""

    def __init__(self, gpus: list[GpuSample], cpu: CpuSample, notes: list[str]) -> None:
        super().__init__()
        self.gpus, self.cpu, self.notes = gpus, cpu, notes


def shipped_names() -> list[str]:
    """Names of the presets that come with the program, for the first frame, before any was read."""
    package = importlib.util.find_spec("gpubench_tui.presets")
    folders = package.submodule_search_locations or () if package is not None else ()
    names = {path.stem for folder in folders for path in Path(folder).glob("*.toml")}
    return sorted(names, key=lambda name: (name != "quickstart", name))


def watch_machine(
    root: Path | None,
    options: LaunchOptions,
    leave: threading.Event,
    post: Callable[[Message], object],
) -> None:
    """Post what is found until told to leave; for a thread."""
    from .planned_presets import inspect_machine

    while not leave.is_set():
        for inspection in inspect_machine(root, *options):
            if leave.is_set():
                return
            post(MachineInspected(inspection))
        if inspection.host is None:
            return
        _sample(inspection, leave, post)


def _sample(inspection: Inspection, leave: threading.Event, post: Callable[[Message], object]) -> None:
    """Sample the devices until it is time to look around again."""
    from ...engine.host.telemetry import DeviceSampler
    from .planned_presets import has_changed

    sampler = DeviceSampler(inspection.host.gpus if inspection.host is not None else (), tuple)
    count = 0
    try:
        # A moment is needed to tell how busy the cores are.
        while not leave.wait(SAMPLE_SECONDS if count else 0.2):
            samples, cpu = sampler.sample()
            post(DevicesSampled(samples, cpu, sampler.take_notes()))
            count += 1
            if count * SAMPLE_SECONDS > LOOK_SECONDS and has_changed(inspection, samples):
                return
    finally:
        sampler.close()
