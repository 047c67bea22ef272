"""The settings that a tune has found, kept as a preset of the user's own."""

from __future__ import annotations

from pathlib import Path

from ..plan.preset.library import save_new
from ..record.events import SessionOutcome
from ..record.session import WITHOUT_STEPS, read_session
from ..record.session_folder import SessionFolder
from ..text.files import fit_for_file_name

SETTINGS_IN = "the settings found are in "
"""Beginning of the message in the log that says where they are, before the path and how to run them."""


def keep_settings(folder: SessionFolder, outcome: SessionOutcome) -> Path | None:
    """Write what a tune kept to a preset file of its own and return its path; None where it kept nothing.

    `outcome`: that of the session, which is about to end. Raises OSError where it cannot be written.
    """
    from ..analysis.tuning.settings_file import settings_file  # late: only tunes wait for its import
    from ..analysis.tuning.tuning import tuning_of

    session = read_session(folder.journal, WITHOUT_STEPS)
    session.outcome = outcome
    tuning = tuning_of(session)
    if tuning is None or not tuning.kept:
        return None
    stem = fit_for_file_name(session.plan.preset) or "preset"
    return save_new(f"{stem}-tuned", settings_file(session))
