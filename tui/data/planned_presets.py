"""The presets as planned for this machine, and the findings about it that concern them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from ...engine.host.facts import GpuProcess, GpuSample, Host
from ...engine.host.findings import Finding, findings
from ...engine.host.inspect import inspect_host, restrict_gpus
from ...engine.plan.cells import uses_gpus
from ...engine.plan.expand import make_plan
from ...engine.plan.needs import Need, needs
from ...engine.plan.pace import Pace
from ...engine.plan.plan import Plan
from ...engine.plan.preset.errors import PresetError
from ...engine.plan.preset.library import PresetFile, all_presets
from ...engine.plan.preset.overrides import of_override
from ...engine.plan.preset.preset import Preset, WithoutGpus
from ...engine.record.paces import read_paces, with_paces
from ...engine.record.session_folder import SessionFolder
from ...engine.record.shelf import Shelf, default_root

NO_PACES: Mapping[str, Pace] = MappingProxyType({})


class PlannedPreset(Struct, frozen=True):
    """A preset file, its contents, and its plan for this machine."""

    file: PresetFile
    preset: Preset | None = None
    """Contents of the file, as they count on this machine once it is inspected; None if they are invalid."""
    whole: Preset | None = None
    """Contents of the file with their form for other machines; None if they are invalid."""
    plan: Plan | None = None
    """Plan for this machine; None until the machine has been inspected, or if there is a problem."""
    needs: tuple[Need, ...] = ()
    """Requirements of the preset that this machine does not meet."""
    error: PresetError | None = None
    """Error that keeps the preset from being planned; None if it can be planned."""

    @property
    def problem(self) -> str:
        """Return why the preset cannot be planned, one sentence; empty if it can."""
        return "" if self.error is None else str(self.error)

    @property
    def obstacle(self) -> str:
        """Return why the preset cannot be started, one sentence; empty if it can."""
        if self.plan is not None and not self.plan.to_run:
            return f"Every run of {self.file.name} is skipped on this machine: there is nothing to start."
        return self.problem or next((need.sentence for need in self.needs if need.level == "error"), "")


class Inspection(Struct, frozen=True):
    """Presets, machine and sessions as inspected so far."""

    presets: tuple[PlannedPreset, ...] = ()
    host: Host | None = None
    """This machine with the chosen GPUs; None until it has been inspected."""
    machine: Host | None = None
    """This machine with all its GPUs; None until it has been inspected."""
    findings: tuple[Finding, ...] = ()
    problem: str = ""
    """Reason why nothing can be run here, one sentence; empty if something can."""
    unfinished: tuple[SessionFolder, ...] = ()
    """Sessions that are running or queued, newest first."""
    running: SessionFolder | None = None
    """Newest session that is running; None if there is none."""
    paces: Mapping[str, Pace] = NO_PACES
    """Paces that past sessions have left on this machine."""

    @property
    def obstacle(self) -> str:
        """Return why nothing can be started here, one sentence; empty if something can."""
        return self.problem or next((found.sentence for found in self.findings if found.level == "error"), "")

    def without_running(self) -> Inspection:
        """Return the inspection with the session that was running ended."""
        unfinished = tuple(folder for folder in self.unfinished if folder != self.running)
        return replace(self, unfinished=unfinished, running=None)


def inspect_machine(
    root: Path | None, gpus: Sequence[int] | None, overrides: Sequence[str]
) -> Iterator[Inspection]:
    """Yield the presets at once, then again with their plans for this machine.

    `root`: the folder of the sessions, None for the default one; `gpus`: indices of the GPUs to use, None for
    all; `overrides`: `key=value` settings for every preset. Errors that a user can cause are not raised but
    reported in `problem`.
    """
    files = all_presets()
    presets = tuple(plan_preset(file, overrides) for file in files)
    yield Inspection(presets)
    machine = inspect_host(None)
    host = machine if gpus is None else restrict_gpus(machine, gpus)
    try:
        host = host or inspect_host(gpus)
    except ValueError as error:
        yield Inspection(presets, machine=machine, problem=f"--gpus: {error}")
        return
    shelf = Shelf(root or default_root())
    paces = read_paces(shelf.root)
    planned = tuple(plan_preset(file, overrides, host, paces) for file in files)
    try:
        found = tuple(findings(host, shelf.root))
        unfinished = tuple(unfinished_sessions(shelf))
    except OSError as error:
        problem = f"The sessions folder cannot be read: {error}."
        yield Inspection(planned, host, machine, problem=problem, paces=paces)
        return
    running = next((folder for folder in unfinished if folder.is_running()), None)
    yield Inspection(planned, host, machine, found, unfinished=unfinished, running=running, paces=paces)


def has_changed(inspection: Inspection, samples: Sequence[GpuSample]) -> bool:
    """Return whether the processes on the GPUs differ from those found, or a session has ended since."""
    if not all(folder.goes_on() for folder in inspection.unfinished):
        return True
    gpus = inspection.machine.gpus if inspection.machine is not None else ()
    return [_pids(gpu.processes) for gpu in gpus] != [_pids(sample.processes) for sample in samples]


def _pids(processes: Sequence[GpuProcess] | None) -> list[int]:
    return [process.pid for process in processes or ()]


def plan_preset(
    file: PresetFile, overrides: Sequence[str], host: Host | None = None, paces: Mapping[str, Pace] = NO_PACES
) -> PlannedPreset:
    """Read the preset of a file and plan it for the host, if that is given, with the paces known there."""
    preset = whole = None
    try:
        preset = whole = file.read(overrides)
        if host is not None:
            preset = replace(preset, without_gpus=WithoutGpus()) if uses_gpus(host) else preset.reduced()
        plan = None
        if host is not None:
            plan = with_paces(make_plan(file.name, whole, host, file.changes(overrides)), host, paces)
    except PresetError as error:
        if preset is None and overrides:  # its place in the list is that of the file
            with contextlib.suppress(PresetError):
                preset = whole = file.read()
        return PlannedPreset(file, preset, whole, error=of_override(error, overrides))
    if plan is None or host is None:
        return PlannedPreset(file, preset, whole)
    return PlannedPreset(file, preset, whole, plan, tuple(needs(plan, host)))


def unfinished_sessions(shelf: Shelf) -> list[SessionFolder]:
    """Return the sessions that are running or queued, newest first."""
    return [folder for folder in shelf.all() if folder.goes_on()]
