"""Running a session's preset once more, planned anew for this machine as it is now."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ...engine.conductor.start import start_session
from ...engine.host.inspect import inspect_host
from ...engine.plan.expand import make_plan
from ...engine.plan.read import read_preset
from ...engine.record.shelf import SessionFolder, Shelf, default_root


class RefusedError(Exception):
    """The session cannot be run again; one sentence says why."""


def run_again(
    root: Path | None, gpus: Sequence[int] | None, folder: SessionFolder
) -> tuple[SessionFolder, subprocess.Popen[bytes]]:
    """Start a new session of the preset as that session used it. Raises `RefusedError`."""
    shelf = Shelf(root or default_root())
    other = next((other for other in shelf.all() if other.goes_on()), None)
    if other is not None:
        raise RefusedError(f"{other.name} has not ended yet: it would disturb the new one's figures.")
    try:
        text = folder.preset.read_text(encoding="utf-8")
        preset = read_preset(text, str(folder.preset), folder=folder.path)
        host = inspect_host(gpus)
        plan = make_plan(folder.request().plan.preset, preset, host)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise RefusedError(f"{folder.name} cannot be run again: {error}.") from None
    if not plan.to_run:
        reasons = "; ".join(dict.fromkeys(spec.skip for spec in plan.runs if spec.skip))
        raise RefusedError(f"{folder.name} cannot be run again here: every run is skipped ({reasons}).")
    try:
        fresh = shelf.create(None, plan, host, text)
        return fresh, start_session(fresh)
    except OSError as error:
        raise RefusedError(f"The session cannot be started: {error}.") from None
