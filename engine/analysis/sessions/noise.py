"""Noise between sessions: the change of a figure from one session to the next where nothing else changed.

No single session holds it: clocks, memory layout and neighbours differ from one to the next. It is estimated
from past sessions of the same fingerprint on the same machine, or else assumed.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from msgspec import Struct

from ...record.events import SessionStarted
from ...record.journal import Follower
from ...record.session import WITHOUT_STEPS, Session, read_session
from ...record.session_folder import SessionFolder
from ...record.shelf import Shelf
from ...statistics import NORMAL, Interval, student
from ..diagnosis.machine import is_disturbed
from ..results.comparable import fingerprint
from ..results.configuration import Configuration
from .figures import Key, by_key, matched_part, rates, typical_rate, varied_keys

ASSUMED = 0.02
"""Noise that is assumed where it is not known, as a share of a figure."""
FEWEST_SESSIONS = 3
"""Fewest past sessions from which it is estimated."""
MOST_SESSIONS = 40
"""Most past sessions that are read for it, the newest."""


class Noise(Struct, frozen=True):
    """Noise between sessions of one figure."""

    deviation: float
    """Standard deviation from session to session, as a share of the figure."""
    sessions: int
    """Number of past sessions that it was estimated from; 0 where it is assumed."""
    freedom: int | None
    """Degrees of freedom of the estimate; None where it is assumed."""
    variances: float = 2.0
    """Variance of a ratio of two sides, in variances of a session: each side is the mean of its sessions."""
    shift: float = 0.0
    """Logarithm by which the ratio of those means differs from that of the two sessions."""

    @property
    def half_width(self) -> float:
        """Half the width of the 95% interval of the logarithm of a ratio that is due to this noise alone."""
        quantile = NORMAL if self.freedom is None else student(self.freedom)
        return quantile * math.sqrt(self.variances) * self.deviation

    def widen(self, ratio: float, interval: Interval) -> Interval:
        """Return the interval of a ratio of two sessions, given that from the noise within them.

        It lies around the ratio of the means, but never leaves out that of the two sessions.
        """
        below, above = (math.hypot(math.log(bound / ratio), self.half_width) for bound in interval)
        low, high = min(self.shift - below, 0.0), max(self.shift + above, 0.0)
        return ratio * math.exp(low), ratio * math.exp(high)


def estimate_noise(a: float, b: float, past_a: Sequence[float], past_b: Sequence[float] = ()) -> Noise:
    """Return the noise between two sessions' figures, from those of past sessions that are alike each.

    Those that are alike both belong to the first. The variances of the logarithms are pooled; `b` takes no
    part in that, as its difference from `a` is what is to be judged.
    """
    past = len(past_a) + len(past_b)
    if past < FEWEST_SESSIONS:
        return Noise(ASSUMED, 0, None)
    first, second = ([math.log(value) for value in side] for side in ([a, *past_a], [b, *past_b]))
    groups = [group for group in (first, second[1:]) if group]
    squares = sum((log - fmean(group)) ** 2 for group in groups for log in group)
    freedom = sum(len(group) - 1 for group in groups)
    return Noise(
        deviation=math.sqrt(squares / freedom),
        sessions=past,
        freedom=freedom,
        variances=1 / len(first) + 1 / len(second),
        shift=(fmean(second) - second[0]) - (fmean(first) - first[0]),
    )


class History:
    """Past sessions, from which the noise of any figure can be estimated."""

    def __init__(self, past: Sequence[Session]) -> None:
        self._past = list(past)
        self._found: dict[tuple[int, tuple[str, ...]], dict[Key, Configuration]] = {}

    def of(self, places: Iterable[int]) -> History:
        """Return the history of the sessions at these places."""
        chosen = History(())
        chosen._past = [self._past[place] for place in places]
        chosen._found = self._found
        return chosen

    def noise(
        self, key: Key, rank: int | None, a: tuple[Session, Configuration], b: tuple[Session, Configuration]
    ) -> Noise:
        """Return the noise between two sessions of a key's figure, or of one of its concurrent trainings.

        Without a figure on both sides it is the assumed one.
        """
        ours, theirs = (_identity(*side) for side in (a, b))
        before, after = (_figure(configuration, rank) for _, configuration in (a, b))
        if not before or not after:
            return estimate_noise(1.0, 1.0, ())
        varied = varied_keys((a[0], b[0]))
        past_b = () if theirs == ours else tuple(self._alike(key, rank, varied, theirs))
        return estimate_noise(before, after, tuple(self._alike(key, rank, varied, ours)), past_b)

    def _alike(
        self, key: Key, rank: int | None, varied: tuple[str, ...], identity: tuple[str, str | None]
    ) -> Iterator[float]:
        """Yield the figures of past sessions of the same machine and fingerprint that nothing disturbed."""
        for session in self._past:
            if (id(session), varied) not in self._found:
                self._found[id(session), varied] = by_key(session, varied)
            configuration = self._found[id(session), varied].get(key)
            if configuration is None or identity[1] is None or _identity(session, configuration) != identity:
                continue
            figure = _figure(configuration, rank)
            if figure is not None and not is_disturbed(session, configuration):
                yield figure


def _identity(session: Session, configuration: Configuration) -> tuple[str, str | None]:
    """Return the machine and the fingerprint of a configuration."""
    return session.host.name, fingerprint(session, configuration.representative)


def _figure(configuration: Configuration, rank: int | None) -> float | None:
    return typical_rate(rates(configuration).get(rank, []))


def past_sessions(folders: Sequence[SessionFolder], compared: Sequence[Session]) -> list[Session]:
    """Return the past sessions beside these that have a run in common with them, the newest.

    `compared` are the sessions in `folders`; those that began after all of them are left out.
    """
    own = {folder.path.resolve() for folder in folders}
    hosts = {session.host.name for session in compared}
    parts = {matched_part(spec) for session in compared for spec in session.plan.runs}
    latest = max(session.unix_time for session in compared)
    found: list[Session] = []
    for root in dict.fromkeys(folder.path.resolve().parent for folder in folders):
        for folder in Shelf(root).all():
            started = None if folder.path.resolve() in own else beginning(folder)
            if started is None or started.host.name not in hosts or started.unix_time > latest:
                continue
            if not started.plan.measures_preset or parts.isdisjoint(map(matched_part, started.plan.runs)):
                continue
            with contextlib.suppress(OSError):  # it has just been deleted
                found.append(read_session(folder.journal, WITHOUT_STEPS))
            if len(found) == MOST_SESSIONS:
                return found
    return found


def beginning(folder: SessionFolder) -> SessionStarted | None:
    """Return the first event of a session; None where it cannot be read."""
    try:
        event = next(Follower(folder.journal, [SessionStarted]).events(), None)
    except OSError:
        return None
    return event if isinstance(event, SessionStarted) else None
