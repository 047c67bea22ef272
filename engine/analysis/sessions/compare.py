"""Comparison of sessions, run by run: changes in throughput, and differences in environment and settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from ...record.session import Session
from ...text.grouping import index_ranges
from ...text.units import common_unit
from ..analysis import Analysis, analyse
from ..environment import environment
from ..results.configuration import Configuration
from .change import Change, Doubt, Side, changes_between
from .figures import Key, by_key, varied_keys
from .noise import History

VOLATILE_FACTS = frozenset({"load average at the start"})
"""Facts that change between any two sessions, so are never reported as differences."""
GPU = "GPU "
"""Beginning of the name of the facts of a GPU, before its index."""


class Difference(Struct, frozen=True):
    """A fact in which two sessions differ; `not recorded` where one lacks it."""

    what: str
    a: str
    b: str


def differences_in_words(environment: Iterable[Difference]) -> list[str]:
    """Return each difference as `WHAT: B against A`, those that several GPUs share once."""
    gpus: dict[tuple[str, str, str], list[int]] = {}
    for each in environment:
        index = each.what.removeprefix(GPU) if each.what.startswith(GPU) else ""
        found = gpus.setdefault(("GPU" if index else each.what, each.a, each.b), [])
        found += [int(index)] if index else []
    return [
        f"{what} {index_ranges(found)}: {b} against {a}" if found else f"{what}: {b} against {a}"
        for (what, a, b), found in gpus.items()
    ]


class PairComparison(Struct, frozen=True, kw_only=True):
    """Session b compared with session a."""

    a: str
    b: str
    environment: tuple[Difference, ...]
    """Differences in host, GPUs and versions."""
    changes: tuple[Change, ...]
    only_a: tuple[str, ...]
    """Labels of configurations that only the first session has."""
    only_b: tuple[str, ...]


class ComparisonRow(Struct, frozen=True):
    """A configuration of the base, and its change in each of the other sessions."""

    label: str
    a: float | None
    """Throughput in the base."""
    changes: tuple[Change | None, ...]
    """Change in each other session; None where it is missing."""


class SessionsComparison(Struct, frozen=True):
    """Several sessions compared with a base."""

    base: str
    sessions: tuple[PairComparison, ...]
    rows: tuple[ComparisonRow, ...]
    """Configurations of the base that others have, in its order."""

    @property
    def unit(self) -> str:
        """Unit of all throughputs, in the plural; `samples` where they differ."""
        return common_unit(change.unit for each in self.sessions for change in each.changes)


def compare_all(base: Session, others: Sequence[Session], past: Sequence[Session] = ()) -> SessionsComparison:
    """Compare each of the others with the base; the noise between sessions is estimated from past ones.

    Configurations are matched by mode, devices, workload, batch and the values of what any of them varies.
    """
    history, analysis = History(past), analyse(base)
    compared = tuple(compare_analyses(analysis, analyse(other), history) for other in others)
    found = [{(change.run_a, change.rank): change for change in each.changes} for each in compared]
    order = list(base.runs)
    keys = sorted({key for each in found for key in each}, key=lambda key: (order.index(key[0]), key[1] or 0))
    rows = []
    for key in keys:
        changes = tuple(each.get(key) for each in found)
        first = next(change for change in changes if change is not None)
        rows.append(ComparisonRow(first.label, first.a, changes))
    return SessionsComparison(base.name, compared, tuple(rows))


def compare_analyses(a: Analysis, b: Analysis, history: History) -> PairComparison:
    """Compare session b with session a, both analysed."""
    varied = varied_keys((a.session, b.session))
    ours, theirs = (compared_sides(each, varied) for each in (a, b))
    return PairComparison(
        a=a.session.name,
        b=b.session.name,
        environment=tuple(_environment(a.session, b.session)),
        changes=tuple(
            change
            for key in ours
            if key in theirs
            for change in changes_between(key, ours[key], theirs[key], history)
        ),
        only_a=tuple(side.configuration.label for key, side in ours.items() if key not in theirs),
        only_b=tuple(side.configuration.label for key, side in theirs.items() if key not in ours),
    )


def compared_sides(analysis: Analysis, varied: Sequence[str]) -> dict[Key, Side]:
    """Return the configurations of a session by the key that matches them.

    `varied`: keys that this session or one that it is compared with varies.
    """
    return {
        key: Side(analysis.session, configuration, tuple(_doubts(analysis, configuration)))
        for key, configuration in by_key(analysis.session, varied).items()
    }


def _doubts(analysis: Analysis, configuration: Configuration) -> Iterator[Doubt]:
    """Yield the warnings and severe diagnoses of a configuration, severe first; each name once."""
    own = [each for each in analysis.diagnoses_by_run if configuration.spec.id in each.runs]
    found: dict[str, Doubt] = {}
    for severity in ("severe", "warning"):
        for each in own:
            if each.severity == severity:
                found.setdefault(each.name, Doubt(each.name, each.severity, each.sentence))
    yield from found.values()


def _environment(a: Session, b: Session) -> Iterator[Difference]:
    ours, theirs = dict(environment(a)), dict(environment(b))
    for what in dict.fromkeys([*ours, *theirs]):
        if what not in VOLATILE_FACTS and ours.get(what) != theirs.get(what):
            yield Difference(what, ours.get(what, "not recorded"), theirs.get(what, "not recorded"))
