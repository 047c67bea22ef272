"""Starting sessions: of presets that have been planned, or of a past session's preset once more."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ...engine.conductor.start import start_session
from ...engine.host.facts import Host
from ...engine.host.inspect import inspect_host
from ...engine.plan.expand import make_plan
from ...engine.plan.read import read_preset
from ...engine.plan.write import write_preset
from ...engine.record.shelf import SessionFolder, Shelf, default_root
from ...engine.text.files import read_whole
from .planned_presets import PlannedPreset, unfinished_sessions


class RefusedError(Exception):
    """A session cannot be run again; the message is one sentence."""


def start_sessions(
    root: Path | None, presets: Sequence[PlannedPreset], host: Host, after: Sequence[SessionFolder]
) -> tuple[SessionFolder, subprocess.Popen[bytes] | None]:
    """Create a session for each preset and start them one after the other, once those of `after` have ended.

    Returns the first session's folder, and its process unless it is queued. Raises OSError.
    """
    shelf = Shelf(root or default_root())
    folders: list[SessionFolder] = []
    try:
        folders.extend(
            shelf.create(None, one.plan, host, write_preset(one.preset))
            for one in presets
            if one.plan is not None and one.preset is not None
        )
        process = start_session(*folders, after=after)
    except OSError:
        for folder in folders:
            shutil.rmtree(folder.path, ignore_errors=True)
        raise
    return folders[0], None if after or len(folders) > 1 else process


def run_again(
    root: Path | None, gpus: Sequence[int] | None, folder: SessionFolder
) -> tuple[SessionFolder, subprocess.Popen[bytes]]:
    """Start a new session of the preset as that session used it, planned anew for this machine.

    It has the name of that session and a new time. Raises `RefusedError`.
    """
    shelf = Shelf(root or default_root())
    other = next(iter(unfinished_sessions(shelf)), None)
    if other is not None:
        raise RefusedError(f"{other.name} has not ended yet: it would disturb the new measurements.")
    try:
        text = read_whole(folder.preset).decode()
        preset = read_preset(text, str(folder.preset), folder=folder.path)
        host = inspect_host(gpus)
        earlier = folder.request().plan
        plan = make_plan(earlier.preset, preset, host, earlier.changes)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise RefusedError(f"{folder.name} cannot be run again: {error}.") from None
    if not plan.to_run:
        reasons = "; ".join(dict.fromkeys(spec.skip for spec in plan.runs if spec.skip))
        raise RefusedError(f"{folder.name} cannot be run again here: every run is skipped ({reasons}).")
    try:
        fresh = shelf.create(folder.stem, plan, host, text)
        return fresh, start_session(fresh)
    except OSError as error:
        raise RefusedError(f"The session cannot be started: {error}.") from None
