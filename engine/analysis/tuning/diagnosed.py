"""The diagnoses of one configuration by itself."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from ...record.session import RunState, Session
from ..diagnosis.case import Diagnosis
from ..diagnosis.rules import diagnose
from ..results.configuration import configurations
from ..results.result import compute_result

_KNOWN: WeakKeyDictionary[RunState, tuple[int, tuple[Diagnosis, ...]]] = WeakKeyDictionary()
"""Diagnoses of each configuration by its first run, and the number of its runs that had ended then."""


def diagnoses_of(session: Session, configuration: str) -> tuple[Diagnosis, ...]:
    """Return the diagnoses of the configuration of that id, apart from all others; none if there is none.

    Repeated calls are free until another of its runs has ended.
    """
    found = configurations(session)
    own = next((each for each in found if configuration in (run.spec.id for run in each.runs)), None)
    if own is None:
        return ()
    ended = sum(run.state not in ("waiting", "running") for run in own.runs)
    known = _KNOWN.get(own.runs[0])
    if known is None or known[0] != ended:
        result = compute_result(session, (own,), own)
        known = _KNOWN[own.runs[0]] = ended, tuple(diagnose(session, (own,), (result,)))
    return known[1]
