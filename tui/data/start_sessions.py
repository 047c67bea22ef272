"""Starting sessions: of presets that have been planned, of a past session's preset once more, of the rest of
a session that did not end, of a remedy on trial, or of a tune."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from ...engine.conductor.devices_in_use import Beside, place_sessions
from ...engine.conductor.resume import CannotResumeError, plan_resumption
from ...engine.conductor.start import start_session
from ...engine.conductor.trial import CannotTryError, plan_trial
from ...engine.host.facts import Host
from ...engine.host.inspect import inspect_host
from ...engine.plan.expand import make_plan
from ...engine.plan.plan import Plan, RunSpec
from ...engine.plan.preset.read import read_preset
from ...engine.plan.preset.write import write_preset
from ...engine.plan.remedy import Remedy, Tune
from ...engine.plan.tune_plan import NothingToTuneError, run_to_tune, tune_plan
from ...engine.record.events import RunsAdded, SessionStarted
from ...engine.record.paces import read_paces, with_paces
from ...engine.record.session import read_session
from ...engine.record.session_folder import SessionFolder
from ...engine.record.shelf import Shelf, default_root
from ...engine.text.files import read_whole
from .planned_presets import PlannedPreset


class RefusedError(Exception):
    """A session cannot be started; the message is one sentence."""


class NewSession(Struct, frozen=True):
    """A session that can be created: its plan, and the function that creates its folder on a shelf."""

    plan: Plan
    create: Callable[[Shelf], SessionFolder]


def of_presets(presets: Sequence[PlannedPreset], host: Host) -> list[NewSession]:
    """Return a session of each preset that was planned for this machine."""
    return [_of(one.plan, host, write_preset(one.whole)) for one in presets if one.plan and one.whole]


def start_new(
    root: Path | None, new: Sequence[NewSession], beside: Beside
) -> tuple[SessionFolder, subprocess.Popen[bytes] | None]:
    """Create the sessions and start them one after the other; `beside` says what if devices are in use.

    Returns the first session's folder, and its process unless it is queued. Raises OSError, or
    DevicesInUseError where it is to refuse.
    """
    shelf = Shelf(root or default_root())
    plans = [one.plan for one in new]
    placed = place_sessions(shelf, plans, [partial(one.create, shelf) for one in new], beside)
    process = placed.start(start_session)
    return placed.folders[0], None if placed.after or len(new) > 1 else process


def once_more(gpus: Sequence[int] | None, folder: SessionFolder) -> NewSession:
    """Return a session of the preset as that session used it, planned anew for this machine.

    It has the name of that session and a new time. A trial is repeated as it was planned, and a tune begins
    again within the same bounds. Raises `RefusedError`.
    """
    try:
        text = read_whole(folder.preset).decode()
        host = inspect_host(gpus)
        earlier = folder.request().plan
        plan = (
            _trial_again(earlier, host)
            if earlier.trial is not None
            else _planned_again(folder, earlier, host)
        )
        plan = with_paces(plan, host, read_paces(folder.path.parent))
    except (OSError, ValueError, msgspec.DecodeError, NothingToTuneError) as error:
        raise RefusedError(f"{folder.name} cannot be run again: {error}.") from None
    if not plan.to_run:
        reasons = "; ".join(dict.fromkeys(spec.skip for spec in plan.runs if spec.skip))
        raise RefusedError(f"{folder.name} cannot be run again here: every run is skipped ({reasons}).")
    return _of(plan, host, text, folder.stem)


def _planned_again(folder: SessionFolder, earlier: Plan, host: Host) -> Plan:
    """Return the plan of a session's preset on this machine; of a tune that of its run.

    Raises OSError or ValueError where the preset cannot be used, NothingToTuneError where there is no such
    run.
    """
    text = read_whole(folder.preset).decode()
    preset = read_preset(text, str(folder.preset), folder=folder.path)
    plan = make_plan(earlier.preset, preset, host, earlier.changes)
    if earlier.tune is None:
        return plan
    return tune_plan(plan, run_to_tune(plan, earlier.runs[0].label), earlier.tune)


def _trial_again(earlier: Plan, host: Host) -> Plan:
    """Return the plan of a trial once more. Raises ValueError where its devices are not here."""
    here = {gpu.uuid for gpu in host.gpus}
    for device in earlier.devices:
        if device.kind == "cuda" and device.uuid not in here:
            raise ValueError(f"GPU {device.index} ({device.name}) is not here")
    cores = {core for device in earlier.devices for core in device.cores}
    if missing := sorted(cores - {*host.cpu.cores}):
        raise ValueError(f"CPU {missing[0]} cannot be used here")
    return earlier


def the_rest(folder: SessionFolder) -> NewSession:
    """Return a session that takes over what that session measured, and measures the rest.

    Raises `RefusedError`.
    """
    try:
        resumption = plan_resumption(folder)
    except CannotResumeError as error:
        raise RefusedError(f"{error}.") from None
    return NewSession(resumption.plan, lambda shelf: resumption.create(shelf, folder.stem))


def trial_of(folder: SessionFolder, run: str, diagnosis: str, remedy: Remedy) -> NewSession:
    """Return a session that tries a remedy against a diagnosis of a run, by its id, of that session.

    It is named after that session unless it is created with a name of its own. Raises `RefusedError`.
    """
    try:
        recorded = read_session(folder.journal, (SessionStarted, RunsAdded))
        trial = plan_trial(folder, recorded, run, diagnosis, remedy)
    except OSError as error:
        raise RefusedError(f"{folder.name} cannot be read: {error}.") from None
    except CannotTryError as error:
        raise RefusedError(f"{error}.") from None
    return NewSession(trial.plan, lambda shelf: trial.create(shelf, None))


def tune_of(preset: PlannedPreset, host: Host, tune: Tune, run: RunSpec | None = None) -> NewSession:
    """Return a session that tunes a run of a preset that was planned for this machine.

    Without a run it is the one that `run_to_tune` chooses. Raises `RefusedError`.
    """
    if preset.plan is None or preset.whole is None:
        raise RefusedError(preset.problem or f"{preset.file.name} is not planned yet.")
    try:
        plan = tune_plan(preset.plan, run or run_to_tune(preset.plan), tune)
    except NothingToTuneError as error:
        raise RefusedError(f"{error}.") from None
    return _of(plan, host, write_preset(preset.whole), tune_name(plan))


def tune_name(plan: Plan) -> str:
    """Return the name of a tune, before the time of its start."""
    return f"tune-{plan.preset}"


def _of(plan: Plan, host: Host, preset_text: str, name: str | None = None) -> NewSession:
    return NewSession(plan, lambda shelf: shelf.create(name, plan, host, preset_text))
