"""The trials that were made of a session's remedies: other sessions of the same shelf."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from ...plan.plan import Plan
from ...record.session import Session
from ...record.session_folder import Request, SessionFolder
from ...record.shelf import Shelf
from ...text.encoding import decode_json
from ...text.files import read_whole
from ..analysis import Analysis
from ..past_trial import PastTrial
from .overview import overview_of

MARK = b'"trial":{'
"""Bytes that the plan of every trial has, as it is written: others need not be decoded."""


def with_trials(analysis: Analysis, shelf: Shelf) -> Analysis:
    """Return the analysis with the trials of its session that are on a shelf."""
    return replace(analysis, trials=trials_of(analysis.session, shelf))


def trials_of(session: Session, shelf: Shelf) -> tuple[PastTrial, ...]:
    """Return the trials of a session's remedies that are on a shelf, newest first."""
    names = {session.name, session.recorded_name}
    found = ((folder, plan) for folder, plan in _trials(shelf))
    return tuple(
        _past_trial(folder, plan)
        for folder, plan in found
        if plan.trial is not None and plan.trial.session in names
    )


def _trials(shelf: Shelf) -> Iterator[tuple[SessionFolder, Plan]]:
    for folder in shelf.all():
        try:
            written = read_whole(folder.plan)
            if MARK in written:
                yield folder, decode_json(written, Request).plan
        except (OSError, msgspec.DecodeError, ValueError):
            continue  # the list of sessions says so


def _past_trial(folder: SessionFolder, plan: Plan) -> PastTrial:
    attempt = next((spec.attempt for spec in plan.runs if spec.attempt is not None), None)
    overview = overview_of(folder)
    return PastTrial(
        session=folder.name,
        run=plan.trial.run if plan.trial is not None else "",
        diagnosis=attempt.diagnosis if attempt is not None else "",
        remedy=attempt.remedy.name if attempt is not None and attempt.remedy is not None else "",
        state=overview.state if overview is not None else folder.state(None),
        headline=(overview.headline or "") if overview is not None else "",
    )
