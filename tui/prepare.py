"""What the launch screen shows, found out in a thread: the presets, this machine, and their plans for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from ..engine.conductor.start import start_session
from ..engine.host.facts import Host
from ..engine.host.findings import Finding, findings
from ..engine.host.inspect import inspect_host
from ..engine.plan.expand import make_plan
from ..engine.plan.library import PresetFile, all_presets
from ..engine.plan.plan import Plan
from ..engine.plan.preset import Preset
from ..engine.plan.read import PresetError, write_preset
from ..engine.record.shelf import SessionFolder, Shelf, default_root


class Offer(Struct, frozen=True):
    """A preset as the launch screen offers it."""

    file: PresetFile
    preset: Preset | None = None
    plan: Plan | None = None
    """For this machine; None until that was inspected."""
    problem: str = ""
    """Why it cannot be run, one sentence."""


class Prepared(Struct, frozen=True):
    """What is known so far."""

    offers: tuple[Offer, ...] = ()
    host: Host | None = None
    findings: tuple[Finding, ...] = ()
    problem: str = ""
    """Why nothing can be run here, one sentence."""
    running: SessionFolder | None = None
    """The newest session that runs already."""


def prepare(root: Path | None, gpus: Sequence[int] | None, overrides: Sequence[str]) -> Iterator[Prepared]:
    """First the presets, then with this machine's plans; nothing is raised that a user can cause."""
    shelf = _shelf(root)
    offers = tuple(_read(file, overrides) for file in all_presets())
    yield Prepared(offers)
    try:
        host = inspect_host(gpus)
    except ValueError as error:
        yield Prepared(offers, problem=f"--gpus: {error}")
        return
    running = next((folder for folder in shelf.all() if folder.is_running()), None)
    planned = tuple(_plan(offer, host) for offer in offers)
    yield Prepared(planned, host, tuple(findings(host, shelf.root)), running=running)


def _shelf(root: Path | None) -> Shelf:
    return Shelf(root or default_root())


def _read(file: PresetFile, overrides: Sequence[str]) -> Offer:
    try:
        return Offer(file, file.read(overrides))
    except PresetError as error:
        return Offer(file, problem=str(error))


def _plan(offer: Offer, host: Host) -> Offer:
    if offer.preset is None:
        return offer
    try:
        return Offer(offer.file, offer.preset, make_plan(offer.file.name, offer.preset, host))
    except PresetError as error:
        return Offer(offer.file, offer.preset, problem=str(error))


def start(
    root: Path | None, plan: Plan, host: Host, preset: Preset
) -> tuple[SessionFolder, subprocess.Popen[bytes]]:
    """Put a new session on the shelf and start its process; OSError when that is impossible."""
    folder = _shelf(root).create(None, plan, host, write_preset(preset))
    return folder, start_session(folder)
