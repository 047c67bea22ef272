"""Inspections of presets and machine and samples of its devices, posted while the launch screen is shown."""

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
"""Interval between samples of the devices."""
INSPECTION_SECONDS = 5.0
"""Least time between inspections; they are repeated when GPU processes or sessions have changed."""


class LaunchOptions(NamedTuple):
    """Command-line options that apply to every preset."""

    gpus: Sequence[int] | None = None
    """Indices of the GPUs to use; None for all."""
    overrides: Sequence[str] = ()
    """Settings as `key=value`."""


class MachineInspected(Message):
    """An inspection has been made."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__()
        self.inspection = inspection


class InspectionFailed(Message):
    """The machine could not be inspected; `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence


class DevicesSampled(Message):
    """The devices have been sampled."""

    def __init__(self, gpus: list[GpuSample], cpu: CpuSample, notes: list[str]) -> None:
        super().__init__()
        self.gpus, self.cpu, self.notes = gpus, cpu, notes


def shipped_names() -> list[str]:
    """Return the names of the built-in presets, for the first frame, without reading the files."""
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
    """Post inspections and samples until `leave` is set, or why there are none; runs in a thread."""
    from ...engine.text.plain import described

    try:
        _watch_machine(root, options, leave, post)
    except Exception as error:
        post(InspectionFailed(f"Inspecting this machine failed: {described(error)}"))


def _watch_machine(
    root: Path | None, options: LaunchOptions, leave: threading.Event, post: Callable[[Message], object]
) -> None:
    from .planned_presets import inspect_machine

    while not leave.is_set():
        for inspection in inspect_machine(root, *options):
            if leave.is_set():
                return
            post(MachineInspected(inspection))
        if inspection.machine is None:
            return
        _sample(inspection, leave, post)


def _sample(inspection: Inspection, leave: threading.Event, post: Callable[[Message], object]) -> None:
    """Post samples of the devices until the machine has to be inspected again."""
    from ...engine.host.telemetry import DeviceSampler
    from .planned_presets import has_changed

    sampler = DeviceSampler(inspection.machine.gpus if inspection.machine is not None else (), tuple)
    count = 0
    try:
        # CPU load needs two readings a moment apart.
        while not leave.wait(SAMPLE_SECONDS if count else 0.2):
            samples, cpu = sampler.sample()
            # Those of an earlier inspection stay on the screen while the driver is asked for the first time.
            if count or not samples or any(sample != type(sample)(index=sample.index) for sample in samples):
                post(DevicesSampled(samples, cpu, sampler.take_notes()))
            count += 1
            if count * SAMPLE_SECONDS > INSPECTION_SECONDS and has_changed(inspection, samples):
                return
    finally:
        sampler.close()
