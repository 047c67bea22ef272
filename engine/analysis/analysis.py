"""The analysis of a session: computed once, then handed to every report, export, chart and screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from ..record.session import Session
from .answers.inquiry import Inquiry
from .diagnosis.case import Diagnosis
from .diagnosis.rules import diagnose, together
from .headline import headline
from .past_trial import PastTrial
from .results.configuration import Configuration, configurations
from .results.result import Result, results
from .tuning.tuning import tuning_of

if TYPE_CHECKING:
    from .projection.projection import Projection


class Analysis(Struct, frozen=True, kw_only=True):
    """A session with everything that is computed from it."""

    session: Session
    configurations: tuple[Configuration, ...]
    """Configurations of the plan, in its order."""
    results: tuple[Result, ...]
    """One result for each configuration."""
    diagnoses: tuple[Diagnosis, ...]
    """Diagnoses, most severe first, each name once for all its runs."""
    diagnoses_by_run: tuple[Diagnosis, ...]
    """The same as the rules found them, run by run."""
    headline: str
    """One sentence without the full stop; empty before there is anything to say."""
    trials: tuple[PastTrial, ...] = ()
    """Trials of its remedies, where they were looked for on its shelf."""

    @property
    def inquiry(self) -> Inquiry:
        """Question of the session, with all that was found."""
        return Inquiry(self.session, self.configurations, self.results, self.diagnoses_by_run)

    @property
    def projections(self) -> tuple[Projection, ...]:
        """Projections to more devices, computed anew each time; none before the session has ended."""
        if self.session.outcome is None:
            return ()
        from .projection.projection import projections  # late: nothing but documents and results needs it

        return projections(self.inquiry)


def analyse(session: Session) -> Analysis:
    """Compute results, diagnoses and headline of a session, as far as it has gone.

    The analysis is a snapshot: analyse the session again once it has gone on.
    """
    planned = configurations(session)
    found = results(session, planned)
    diagnosed = _diagnosed(session, planned, found)
    return Analysis(
        session=session,
        configurations=planned,
        results=tuple(found),
        diagnoses=tuple(together(diagnosed, found)),
        diagnoses_by_run=tuple(diagnosed),
        headline=headline(Inquiry(session, planned, found, diagnosed)),
    )


def _diagnosed(
    session: Session, planned: Sequence[Configuration], found: Sequence[Result]
) -> list[Diagnosis]:
    """Diagnose the runs; of a tune only its start, its best and its confirmation, as all others are tries."""
    tuning = tuning_of(session)
    if tuning is None:
        return diagnose(session, planned, found)
    named = {tuning.start, tuning.best, *(tuning.confirmation or ())}
    pairs = [pair for pair in zip(planned, found, strict=True) if pair[0].spec.id in named]
    return diagnose(session, [each for each, _ in pairs], [result for _, result in pairs])
