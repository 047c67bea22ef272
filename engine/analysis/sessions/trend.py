"""The trend of a preset on one machine: the throughput of each of its runs from session to session."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from ... import statistics
from ...plan.plan import RunSpec
from ...record.session import WITHOUT_STEPS, Session, read_session
from ...record.shelf import Shelf
from ...statistics import Interval
from ..analysis import Analysis, analyse
from ..results.comparable import workload_differences
from ..results.configuration import Configuration
from ..trained import training_line
from .change import Change, Doubt, Verdict
from .compare import Difference, compare_analyses, compared_sides, differences_in_words
from .figures import Key, Rates, rates, typical_rate, varied_keys
from .noise import History, beginning

MOST_SESSIONS = 100
"""Most sessions of a trend, the newest."""
_AT_START = re.compile(r", [^,]* (?:in use|other processes) at the start")
"""Parts of a GPU's facts that change from session to session."""


class Step(Struct, frozen=True, kw_only=True):
    """A figure compared with an earlier one of the same line, as `compare` does it."""

    against: str
    """Name of the earlier session."""
    ratio: float | None
    interval: Interval | None
    """95% interval of the ratio, widened by the noise between sessions."""
    verdict: Verdict


class TrendPoint(Struct, frozen=True, kw_only=True):
    """The figure of one session."""

    session: str
    unix_time: float
    throughput: float
    interval: Interval | None
    """95% interval of the throughput by the noise within the session; None for too few windows."""
    step: Step | None
    """Comparison with the point before; None for the first."""
    differs: tuple[str, ...]
    """Differences from the point before in hardware, software and settings, `NAME: THIS against THAT`."""
    doubts: tuple[Doubt, ...]
    """Warnings and severe diagnoses of the run."""


class TrendLine(Struct, frozen=True, kw_only=True):
    """The figures of one run of the preset, oldest first; all of the same workload."""

    label: str
    """Label of the run, and what sets its workload apart from that of another line of this label."""
    mode: str
    devices: int
    batch_per_device: int
    rank: int | None
    """Rank of one of several concurrent trainings."""
    trained: str
    """Training in one line, as of the newest session."""
    unit: str
    points: tuple[TrendPoint, ...]
    overall: Step | None
    """Comparison of the newest point with the first; None where there are fewer than three."""


class Trend(Struct, frozen=True, kw_only=True):
    """The sessions of a preset on one machine."""

    preset: str
    host: str
    sessions: int
    lines: tuple[TrendLine, ...]
    left_out: tuple[str, ...]
    """Sessions without any figure, each with its state."""
    elsewhere: tuple[str, ...]
    """Names of other machines with sessions of this preset."""


class _Measured(NamedTuple):
    """A figure of a session, before it is compared."""

    place: int
    """Place of the session among all, oldest first."""
    key: Key
    rank: int | None
    configuration: Configuration
    rates: Rates
    doubts: tuple[Doubt, ...]


def presets_on(shelf: Shelf) -> list[str]:
    """Return the names of the presets that sessions on the shelf measure, that of the newest first."""
    found = (beginning(folder) for folder in shelf.all())
    plans = (started.plan for started in found if started is not None)
    return list(dict.fromkeys(plan.preset for plan in plans if plan.measures_preset))


def read_trend(shelf: Shelf, preset: str, host: str | None = None) -> Trend | None:
    """Return the trend of a preset, by default on the machine of its newest session; None without any."""
    started = [(folder, beginning(folder)) for folder in shelf.all()]
    alike = [
        (folder, event)
        for folder, event in started
        if event is not None and event.plan.preset == preset and event.plan.measures_preset
    ]
    alike.sort(key=lambda each: each[1].unix_time)
    hosts = list(dict.fromkeys(event.host.name for _, event in reversed(alike)))
    here = host if host is not None else next(iter(hosts), None)
    if here not in hosts:
        return None
    own = [folder for folder, event in alike if event.host.name == here][-MOST_SESSIONS:]
    sessions = []
    for folder in own:
        try:
            sessions.append(read_session(folder.journal, WITHOUT_STEPS))
        except OSError:  # it has just been deleted
            continue
    return find_trend(sessions, tuple(name for name in hosts if name != here)) if sessions else None


def find_trend(sessions: Sequence[Session], elsewhere: Sequence[str] = ()) -> Trend:
    """Return the trend over these sessions of one preset and one machine, oldest first."""
    analyses = [analyse(session) for session in sessions]
    lines: list[list[_Measured]] = []
    names = {session.name for session in sessions}
    varied = varied_keys(sessions)
    for place, analysis in enumerate(analyses):
        for measured in _figures(place, analysis, varied):
            if measured.configuration.representative.taken_over in names:
                continue  # the figure is that of an earlier session, which a later one went on with
            line = next((line for line in lines if _continues(line[-1], measured)), None)
            if line is None:
                lines.append([measured])
            else:
                line.append(measured)
    comparing = _Comparing(analyses)
    labels = list(_labels(lines))
    newest = sessions[-1]
    used = {measured.place for line in lines for measured in line}
    return Trend(
        preset=newest.plan.preset,
        host=newest.host.name,
        sessions=len(sessions),
        lines=tuple(_line(label, line, comparing) for label, line in zip(labels, lines, strict=True)),
        left_out=tuple(
            f"{session.name}: {_end(session)}" for place, session in enumerate(sessions) if place not in used
        ),
        elsewhere=tuple(elsewhere),
    )


def _end(session: Session) -> str:
    """Return how a session without figures ended, in the words of the list of sessions."""
    if session.outcome == "finished" and any(run.state == "failed" for run in session.runs.values()):
        return "failed"
    return session.outcome or "not ended"


def _figures(place: int, analysis: Analysis, varied: Sequence[str]) -> Iterator[_Measured]:
    for key, side in compared_sides(analysis, varied).items():
        for rank, found in rates(side.configuration).items():
            yield _Measured(place, key, rank, side.configuration, found, side.doubts)


def _continues(last: _Measured, measured: _Measured) -> bool:
    """Return whether a figure is of the same run and workload as the last one of a line."""
    ours, theirs = last.configuration.spec, measured.configuration.spec
    if last.place == measured.place or (last.key, last.rank) != (measured.key, measured.rank):
        return False
    return not _workload_differences(theirs, ours, measured.rank)


def _workload_differences(run: RunSpec, other: RunSpec, rank: int | None) -> list[str]:
    ranks = range(len(run.workloads)) if rank is None else (rank,)
    return [text for each in ranks for text in workload_differences(run, other, (each, each))]


def _labels(lines: Sequence[Sequence[_Measured]]) -> Iterator[str]:
    """Yield the label of each line; where several have the same, with what sets its workload apart."""
    plain = [_plain_label(line[-1]) for line in lines]
    for label, line in zip(plain, lines, strict=True):
        rivals = [
            other[-1] for name, other in zip(plain, lines, strict=True) if name == label and other is not line
        ]
        own = line[-1]
        texts = [
            text.partition(" against ")[0]
            for rival in rivals
            for text in _workload_differences(own.configuration.spec, rival.configuration.spec, own.rank)
        ]
        yield f"{label} ({', '.join(dict.fromkeys(texts))})" if texts else label


def _plain_label(measured: _Measured) -> str:
    configuration, rank = measured.configuration, measured.rank
    if rank is None:
        return configuration.label
    return f"{configuration.label}: {configuration.spec.workload_of(rank).title} (rank {rank})"


class _Comparing:
    """Comparisons of pairs of the sessions, each made once."""

    def __init__(self, analyses: Sequence[Analysis]) -> None:
        self.analyses = analyses
        self._history = History([analysis.session for analysis in analyses])
        self._made: dict[
            tuple[int, int], tuple[dict[tuple[str, int | None], Change], tuple[Difference, ...]]
        ] = {}

    def step(self, before: _Measured, after: _Measured) -> tuple[Step, tuple[str, ...]]:
        """Return the comparison of two figures, and what differs between their sessions."""
        changes, environment = self._pair(before.place, after.place)
        change = changes[after.configuration.spec.id, after.rank]
        step = Step(
            against=self.analyses[before.place].session.name,
            ratio=change.ratio,
            interval=change.interval,
            verdict=change.verdict,
        )
        return step, (*differences_in_words(_lasting(environment)), *change.differences)

    def _pair(self, a: int, b: int) -> tuple[dict[tuple[str, int | None], Change], tuple[Difference, ...]]:
        if (a, b) not in self._made:
            # As `compare` does: the noise is that of the sessions before the later one.
            history = self._history.of(place for place in range(b) if place != a)
            pair = compare_analyses(self.analyses[a], self.analyses[b], history)
            changes = {(change.run_b, change.rank): change for change in pair.changes}
            self._made[a, b] = changes, pair.environment
        return self._made[a, b]


def _lasting(environment: Sequence[Difference]) -> Iterator[Difference]:
    """Yield the differences between two sessions' machines without what GPUs were doing at the start."""
    for each in environment:
        a, b = (_AT_START.sub("", text) for text in (each.a, each.b))
        if a != b:
            yield Difference(each.what, a, b)


def _line(label: str, line: Sequence[_Measured], comparing: _Comparing) -> TrendLine:
    newest = line[-1]
    spec = newest.configuration.spec
    points = []
    for place, measured in enumerate(line):
        session = comparing.analyses[measured.place].session
        step, differs = comparing.step(line[place - 1], measured) if place else (None, ())
        rate = typical_rate(measured.rates)
        assert rate is not None
        points.append(
            TrendPoint(
                session=session.name,
                unix_time=session.unix_time,
                throughput=rate,
                interval=_interval(measured.rates),
                step=step,
                differs=differs,
                doubts=measured.doubts,
            )
        )
    return TrendLine(
        label=label,
        mode=spec.mode,
        devices=spec.device_count,
        batch_per_device=spec.batch_per_device(newest.rank or 0),
        rank=newest.rank,
        trained=training_line(spec.workloads if newest.rank is None else [spec.workload_of(newest.rank)]),
        unit=newest.configuration.representative.unit,
        points=tuple(points),
        overall=comparing.step(line[0], newest)[0] if len(line) > 2 else None,
    )


def _interval(found: Rates) -> Interval | None:
    if len(found) > 1:
        return statistics.repeats_interval([statistics.median(each) for each in found])
    return statistics.median_interval(found[0]) if len(found[0]) >= statistics.FEWEST else None
