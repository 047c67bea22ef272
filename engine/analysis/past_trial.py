"""A trial of a remedy that another session has made of a session's run."""

from __future__ import annotations

from msgspec import Struct

from ..record.session_folder import State


class PastTrial(Struct, frozen=True, kw_only=True):
    """A session that tries a remedy on a run of another one."""

    session: str
    """Name of the trial."""
    run: str
    """Id of the run that it tries the remedy on."""
    diagnosis: str
    """Name of the diagnosis to cure."""
    remedy: str
    """Name of the remedy."""
    state: State
    headline: str
    """Gain that it found, in a sentence without the full stop; empty while there is nothing to say."""
