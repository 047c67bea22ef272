"""The `try` command: a run of a past session against the same run with the remedy of a diagnosis."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ..arguments import SESSION_HELP
from ..context import Context, UsageError, read_recorded
from ..measuring import Wishes, add_measuring_options, measure

if TYPE_CHECKING:
    from ....engine.analysis.diagnosis.case import Diagnosis
    from ....engine.plan.remedy import Remedy
    from ....engine.record.session import Session
    from ..arguments import Subparsers

T = TypeVar("T")


def add_try_command(subparsers: Subparsers) -> None:
    """Declare `try`."""
    parser = subparsers.add_parser(
        "try",
        help="try the remedy of a diagnosis: a run as it was against the same with the remedy, in turns",
    )
    parser.add_argument("session", metavar="SESSION", help=SESSION_HELP)
    parser.add_argument(
        "diagnosis",
        metavar="DIAGNOSIS",
        nargs="*",
        default=[],  # else argparse says that it is required
        help="name of one of its diagnoses, or the beginning of it (default: the only one with a remedy)",
    )
    parser.add_argument(
        "--remedy",
        metavar="REMEDY",
        help="name of one of its remedies, or the beginning of it (default: the most promising)",
    )
    parser.add_argument(
        "--run",
        metavar="RUN",
        help="id or label of one of the runs that the diagnosis is about, or the beginning of it (default: "
        "the one where it is most severe)",
    )
    add_measuring_options(parser)
    parser.set_defaults(command=try_remedy)


def try_remedy(
    context: Context,
    *,
    session: str,
    diagnosis: Sequence[str],
    remedy: str | None,
    run: str | None,
    wishes: Wishes,
) -> int:
    """Try a remedy on a run of a session, and print the results.

    Return the exit status. Raises UsageError.
    """
    from ....engine.conductor.trial import CannotTryError, plan_trial
    from ...data.start_sessions import NewSession

    folder = context.find_session(session)
    recorded = read_recorded(folder)
    found = _diagnosis(recorded, " ".join(diagnosis), run)
    chosen = _remedy(found, remedy)
    try:
        trial = plan_trial(folder, recorded, found.runs[0], found.name, chosen)
    except CannotTryError as error:
        raise UsageError(str(error)) from None
    _announce(found, chosen)
    new = NewSession(trial.plan, lambda shelf: trial.create(shelf, wishes.name))
    return measure(context, new, trial.host, wishes)


def _diagnosis(session: Session, name: str, run: str | None) -> Diagnosis:
    """Return the diagnosis of that name, of its first run the one to try a remedy on. Raises UsageError."""
    from ....engine.analysis.analysis import analyse
    from ....engine.analysis.diagnosis.rules import ORDER

    analysis = analyse(session)
    named = {each.name: each for each in analysis.diagnoses}
    if not named:
        raise UsageError(f"{session.name} has no diagnosis: there is nothing to cure")
    by_run = sorted(analysis.diagnoses_by_run, key=lambda each: ORDER.index(each.severity))
    with_remedies = [each for each in named if any(one.name == each and one.remedies for one in by_run)]
    if name:
        (name,) = _matching("diagnosis", name, list(named), lambda each: (each,), session.name)
    elif len(with_remedies) == 1:
        (name,) = with_remedies
    elif with_remedies:
        _list(named[each] for each in with_remedies)
        raise UsageError(f"{session.name} has {len(with_remedies)} diagnoses with remedies: name one of them")
    if name not in with_remedies:
        of = [named[name]] if name else list(named.values())
        advice = "; ".join(f"{each.name}: {each.advice}" for each in of)
        raise UsageError(f"there is nothing to try on {session.name}: {advice}")
    cases = [each for each in by_run if each.name == name and each.remedies]
    if run is None:
        return cases[0]
    labels = {result.run: result.label for result in analysis.results}
    (case,) = _matching(
        "run", run, cases, lambda each: (each.runs[0], labels[each.runs[0]]), f"{name} in {session.name}"
    )
    return case


def _remedy(diagnosis: Diagnosis, name: str | None) -> Remedy:
    """Return the remedy of that name, the most promising for None. Raises UsageError."""
    if name is None:
        return diagnosis.remedies[0]
    (found,) = _matching("remedy", name, diagnosis.remedies, lambda each: (each.name,), diagnosis.name)
    return found


def _matching(
    what: str, text: str, among: Sequence[T], names: Callable[[T], tuple[str, ...]], of: str
) -> tuple[T]:
    """Return the one that has the text as a name, or alone a name that begins with it. Raises UsageError."""
    from ....engine.text.suggestions import nearest

    wanted = text.casefold()
    exact = [each for each in among if wanted in map(str.casefold, names(each))]
    begun = [each for each in among if any(name.casefold().startswith(wanted) for name in names(each))]
    if len(exact or begun) == 1:
        return ((exact or begun)[0],)
    known = [names(each)[-1] for each in begun or among]
    if begun:
        raise UsageError(f"several of {of} begin with {text!r}: {', '.join(known)}")
    raise UsageError(f"{text!r} is not a {what} of {of}{nearest(text, known)}")


def _announce(diagnosis: Diagnosis, remedy: Remedy) -> None:
    """Say what is tried on which run, and what else could be."""
    from ....engine.analysis.report.diagnosis import remedy_text

    print(f"trying {remedy_text(remedy)} against {diagnosis.name} on {diagnosis.tried_on}", file=sys.stderr)
    others = [each.name for each in diagnosis.remedies if each is not remedy]
    if others:
        print(f"--remedy chooses another: {', '.join(others)}", file=sys.stderr)


def _list(diagnoses: Iterable[Diagnosis]) -> None:
    from ....engine.analysis.report.diagnosis import remedies_text

    for each in diagnoses:
        print(f"{each.name}: {remedies_text(each)}", file=sys.stderr)
