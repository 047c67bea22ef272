"""What the launch screen shows, found out in a thread: the presets, this machine, and their plans for it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from ...engine.conductor.start import start_session
from ...engine.host.facts import GpuProcess, GpuSample, Host
from ...engine.host.findings import Finding, findings
from ...engine.host.inspect import inspect_host
from ...engine.plan.expand import make_plan
from ...engine.plan.library import PresetFile, all_presets
from ...engine.plan.needs import Need, needs
from ...engine.plan.plan import Plan
from ...engine.plan.preset import Preset
from ...engine.plan.read import PresetError, write_preset
from ...engine.record.shelf import SessionFolder, Shelf, default_root


class Offer(Struct, frozen=True):
    """A preset as the launch screen offers it."""

    file: PresetFile
    preset: Preset | None = None
    plan: Plan | None = None
    """For this machine; None until that was inspected."""
    needs: tuple[Need, ...] = ()
    """What it lacks here."""
    problem: str = ""
    """Why it cannot be run, one sentence."""

    @property
    def obstacle(self) -> str:
        """Why it cannot be started, one sentence; empty when it can."""
        if self.plan is not None and not self.plan.to_run:
            return f"Every run of {self.file.name} is skipped on this machine: there is nothing to start."
        return self.problem or next((_sentence(need) for need in self.needs if need.level == "error"), "")


class Prepared(Struct, frozen=True):
    """What is known so far."""

    offers: tuple[Offer, ...] = ()
    host: Host | None = None
    findings: tuple[Finding, ...] = ()
    problem: str = ""
    """Why nothing can be run here, one sentence."""
    going: tuple[SessionFolder, ...] = ()
    """The sessions that run or wait already, newest first."""
    running: SessionFolder | None = None
    """The newest of them that runs."""

    @property
    def obstacle(self) -> str:
        """Why nothing can be started here, one sentence; empty when something can."""
        return self.problem or next(
            (_sentence(found) for found in self.findings if found.level == "error"), ""
        )


def _sentence(finding: Finding) -> str:
    return f"{finding.text} ({finding.remedy})" if finding.remedy else finding.text


def prepare(root: Path | None, gpus: Sequence[int] | None, overrides: Sequence[str]) -> Iterator[Prepared]:
    """First the presets, then with this machine's plans; nothing is raised that a user can cause."""
    files = all_presets()
    offers = tuple(offer(file, overrides) for file in files)
    yield Prepared(offers)
    try:
        host = inspect_host(gpus)
    except ValueError as error:
        yield Prepared(offers, problem=f"--gpus: {error}")
        return
    planned = tuple(offer(file, overrides, host) for file in files)
    try:
        found = tuple(findings(host, _shelf(root).root))
        going = tuple(sessions_that_go_on(root))
    except OSError as error:
        yield Prepared(planned, host, problem=f"The sessions' folder cannot be looked at: {error}.")
        return
    running = next((folder for folder in going if folder.is_running()), None)
    yield Prepared(planned, host, found, going=going, running=running)


def has_changed(prepared: Prepared, samples: Sequence[GpuSample]) -> bool:
    """Whether other processes are on the GPUs than were found there, or a session has ended."""
    found = [_ids(gpu.processes) for gpu in prepared.host.gpus] if prepared.host is not None else []
    return found != [_ids(sample.processes) for sample in samples] or not all(
        folder.goes_on() for folder in prepared.going
    )


def _ids(processes: Sequence[GpuProcess] | None) -> list[int]:
    return [process.pid for process in processes or ()]


def offer(file: PresetFile, overrides: Sequence[str], host: Host | None = None) -> Offer:
    """The preset of a file, planned for the host once that is known."""
    preset = None
    try:
        preset = file.read(overrides)
        plan = None if host is None else make_plan(file.name, preset, host)
    except PresetError as error:
        return Offer(file, preset, problem=str(error))
    if plan is None or host is None:
        return Offer(file, preset)
    return Offer(file, preset, plan, tuple(needs(plan, host)))


def sessions_that_go_on(root: Path | None) -> list[SessionFolder]:
    """The sessions that run or wait for their turn, newest first."""
    return [folder for folder in _shelf(root).all() if folder.goes_on()]


def _shelf(root: Path | None) -> Shelf:
    return Shelf(root or default_root())


def start(
    root: Path | None, offers: Sequence[Offer], host: Host, after: Sequence[SessionFolder]
) -> tuple[SessionFolder, subprocess.Popen[bytes] | None]:
    """Put a session on the shelf for each offer and start them, one after the other and after those given.

    Returns the first one's folder, and its process unless it must wait. OSError when that is impossible.
    """
    folders: list[SessionFolder] = []
    try:
        folders.extend(
            _shelf(root).create(None, one.plan, host, write_preset(one.preset))
            for one in offers
            if one.plan is not None and one.preset is not None
        )
        process = start_session(*folders, after=after)
    except OSError:
        for folder in folders:
            shutil.rmtree(folder.path, ignore_errors=True)
        raise
    return folders[0], None if after or len(folders) > 1 else process
