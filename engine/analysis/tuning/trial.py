"""The outcome of a trial: what a remedy brought, and whether the diagnosis is gone with it."""

from __future__ import annotations

from msgspec import Struct

from ...plan.remedy import Remedy
from ...record.session import RunState, Session
from ...statistics import Estimate
from .attempts import attempts_of, configuration_of, pairs_of, trouble_in_words
from .diagnosed import diagnoses_of


class TrialOutcome(Struct, frozen=True, kw_only=True):
    """A remedy on trial, as far as it has been measured."""

    remedy: Remedy
    diagnosis: str
    """Name of the diagnosis to cure."""
    gain: Estimate | None
    """Throughput with the remedy over that without, from pairs of runs; None before the first pair."""
    cured: bool | None
    """Whether the diagnosis is gone with the remedy; None where it was not found without it either."""
    why: str
    """Reason that there is no gain; empty for others."""
    before: str
    """Id of the configuration without the remedy."""
    changed: str
    """Id of the configuration with it."""


def trial_outcome(session: Session) -> TrialOutcome | None:
    """Return the outcome of the remedy that a session tries; None for a session that is no trial."""
    runs = [run for each in attempts_of(session).values() for run in each]
    if session.plan.trial is None or not runs:
        return None
    pairs = pairs_of(runs)
    remedy, gain, trouble = pairs.attempt.remedy, pairs.gain, pairs.trouble
    if remedy is None:
        return None
    before, changed = configuration_of(pairs.before), configuration_of(pairs.changed)
    return TrialOutcome(
        remedy=remedy,
        diagnosis=pairs.attempt.diagnosis,
        gain=gain,
        cured=_is_cured(session, pairs.attempt.diagnosis, before, changed) if gain is not None else None,
        why=_why(trouble) if gain is None and trouble is not None else "",
        before=before,
        changed=changed,
    )


def _why(trouble: RunState) -> str:
    """Return why a trial has no gain, by the run that has no figures."""
    return f"{'failed: ' if trouble.state == 'failed' else ''}{trouble_in_words(trouble)}".rstrip(".")


def _is_cured(session: Session, diagnosis: str, before: str, changed: str) -> bool | None:
    """Return whether a diagnosis is found without a remedy and not with it; None if in neither."""
    was, remains = (
        diagnosis in (each.name for each in diagnoses_of(session, configuration))
        for configuration in (before, changed)
    )
    return not remains if was or remains else None
