"""The kinds of answers, as presets name them."""

from __future__ import annotations

from ...plan.preset.preset import AnswerKind
from .accuracy import cost_in_accuracy
from .batch import best_batch
from .exchange import share_of_communication
from .inquiry import Answering, Inquiry, Sentence
from .models import which_is_faster
from .plain import best_figure, fastest_run
from .sharding import cost_and_saving
from .speedup import how_far, is_it_worth_it
from .trial import what_it_brought
from .variable import answered, which_value
from .whole_training import how_long_and_how_good
from .words import begun

KINDS: dict[AnswerKind, tuple[Answering, ...]] = {
    "figure": (which_value, best_figure),
    "worth": (is_it_worth_it, fastest_run),
    "reach": (how_far, fastest_run),
    "batch": (best_batch, fastest_run),
    "model": (which_is_faster, best_figure),
    "accuracy": (cost_in_accuracy, best_figure),
    "training": (how_long_and_how_good, best_figure),
    "communication": (share_of_communication, best_figure),
    "sharding": (cost_and_saving, best_figure),
}
"""Ways to answer by kind: the first that can gives the sentence."""


def answer_proper(inquiry: Inquiry) -> Sentence | None:
    """Return the answer in the question's own terms; None where there is no such kind, or not enough yet."""
    if inquiry.session.plan.trial is not None:
        return what_it_brought(inquiry)
    kind = inquiry.session.plan.answer
    return _complete(inquiry, KINDS[kind][0](inquiry))


def best_answer(inquiry: Inquiry) -> Sentence | None:
    """Return the sentence that answers the question of a session's preset, as far as it has gone."""
    if inquiry.session.plan.trial is not None:
        return what_it_brought(inquiry)
    kind = inquiry.session.plan.answer
    for way in KINDS[kind]:
        sentence = way(inquiry)
        if sentence is not None:
            return _complete(inquiry, sentence)
    return None


def _complete(inquiry: Inquiry, sentence: Sentence | None) -> Sentence | None:
    """Return an answer with what variables under test bring, begun as a sentence is."""
    if inquiry.session.plan.answer != "figure":
        sentence = answered(inquiry, sentence)
    return sentence._replace(text=begun(sentence.text)) if sentence is not None else None
