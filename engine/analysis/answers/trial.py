"""The answer of a trial: what the remedy brought, and whether the diagnosis is gone."""

from __future__ import annotations

from ...statistics import Estimate
from ...text.units import ratio
from ..tuning.trial import TrialOutcome, trial_outcome
from ..tuning.words import gain_in_words
from .inquiry import Inquiry, Sentence
from .words import capitalised


def what_it_brought(inquiry: Inquiry) -> Sentence | None:
    """Answer with the gain, the most that was possible, and the diagnosis.

    As in `bf16 gradients: 1.21x (95%: 1.18x to 1.24x), at most 1.32x was possible; exposed communication is
    gone`.
    """
    outcome = trial_outcome(inquiry.session)
    if outcome is None or (outcome.gain is None and not outcome.why):
        return None
    about = tuple(each for each in inquiry.results if each.run == outcome.changed and outcome.gain)
    if outcome.gain is None:
        return Sentence(f"{capitalised(outcome.remedy.name)}: {outcome.why}", about)
    most = _most(outcome.gain, outcome.remedy.ceiling)
    text = f"{capitalised(outcome.remedy.name)}: {gain_in_words(outcome.gain)}{most}{_cure(outcome)}"
    return Sentence(text, about)


def _most(gain: Estimate, ceiling: float | None) -> str:
    """Return what was possible by the evidence, or that more was, as the rest of a step became faster too."""
    if ceiling is None:
        return ""
    if gain.interval is not None and gain.interval[0] > ceiling:
        return f", more than the {ratio(ceiling)} that the evidence explains"
    return f", at most {ratio(ceiling)} was possible"


def _cure(outcome: TrialOutcome) -> str:
    if outcome.cured is None or not outcome.diagnosis:
        return ""
    return f"; {outcome.diagnosis} {'is gone' if outcome.cured else 'remains'}"
