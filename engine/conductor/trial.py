"""Trying a remedy: a new session that holds a run of a past one against the same run with the remedy."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ..host.facts import Host
from ..plan.plan import Plan
from ..plan.remedy import Remedy
from ..plan.trial_plan import trial_plan
from ..record.paces import read_paces, with_paces
from ..record.session import Session
from ..record.session_folder import SessionFolder
from ..record.shelf import Shelf
from ..text.files import read_whole
from .same_machine import inspect_again


class CannotTryError(Exception):
    """A remedy cannot be tried here; the message is one sentence."""


class PlannedTrial(Struct, frozen=True):
    """Trial of a remedy, planned on this machine."""

    earlier: SessionFolder
    """Session with the run that the remedy is tried on."""
    plan: Plan
    host: Host
    """This machine, inspected anew."""
    preset_text: str

    def create(self, shelf: Shelf, name: str | None) -> SessionFolder:
        """Create the trial's folder. Raises OSError."""
        return shelf.create(name or f"try-{self.earlier.stem}", self.plan, self.host, self.preset_text)


def plan_trial(
    folder: SessionFolder, recorded: Session, run: str, diagnosis: str, remedy: Remedy
) -> PlannedTrial:
    """Plan the trial of a remedy against a diagnosis of a run, by its id, of a recorded session.

    Raises CannotTryError where this machine cannot do it, or is another than the session's.
    """
    here, differences = inspect_again(recorded.host, recorded.program)
    if differences:
        raise CannotTryError(
            f"{remedy.name} cannot be tried on {folder.name}: it was measured elsewhere or by other software "
            f"({'; '.join(differences)}); gpubench-tui run {recorded.plan.preset} measures "
            "anew here"
        )
    try:
        plan = trial_plan(recorded.plan, recorded.plan.run(run), diagnosis, remedy, folder.name, here)
    except msgspec.ValidationError as error:
        raise CannotTryError(f"{remedy.name} cannot be tried on {folder.name}: {error}") from None
    if not plan.to_run:
        raise CannotTryError(f"{remedy.name} cannot be tried here: {'; '.join(plan.skipped)}")
    try:
        preset_text = read_whole(folder.preset).decode(errors="replace")
    except OSError:
        preset_text = ""
    plan = with_paces(plan, here, read_paces(folder.path.parent))
    return PlannedTrial(folder, plan, here, preset_text)
