"""Progress of a tune as lines: what is tried, what each pair of runs shows, and what is kept or refused."""

from __future__ import annotations

from collections.abc import Iterator

from ...engine.analysis.report.diagnosis import remedy_text
from ...engine.analysis.tuning.attempts import Tried
from ...engine.analysis.tuning.tuning import Tuning, tuning_of
from ...engine.analysis.tuning.words import estimate_in_words
from ...engine.plan.plan import RunSpec
from ...engine.record.events import Event, RunFinished, RunsAdded, SessionFinished
from ...engine.record.session import Session
from ...engine.statistics import Estimate
from ...engine.text.units import count, rate


class TuningLines:
    """Turns the events of a tune into lines that tell its course."""

    def __init__(self) -> None:
        self._begun: set[int] = set()
        """Numbers of the attempts that were announced."""
        self._decided: set[int] = set()
        """Numbers of the attempts whose outcome was told."""
        self._search_ended = False

    def of_event(self, event: Event, session: Session) -> Iterator[str]:
        """Yield the lines to print for an event that the session has just applied."""
        match event:
            case RunsAdded():
                for spec in event.runs:
                    yield from self._begin(spec)
            case RunFinished() if session.runs[event.run].spec.attempt is not None:
                if (tuning := tuning_of(session)) is not None:
                    yield from self._after(session.runs[event.run].spec, session, tuning)
            case SessionFinished():
                if (tuning := tuning_of(session)) is not None:
                    yield from self._decisions(tuning)
                    yield from (f"not tried: {each.remedy.name}: {each.why}" for each in _left(tuning))

    def _begin(self, spec: RunSpec) -> Iterator[str]:
        attempt = spec.attempt
        if attempt is None or attempt.number in self._begun:
            return
        self._begun.add(attempt.number)
        match attempt.purpose:
            case "batch":
                yield "looking for the largest batch that fits"
            case "confirmation":
                yield "measuring all that was kept anew against the start"
            case "remedy" if attempt.remedy is not None:
                cure = f" against {attempt.diagnosis}" if attempt.diagnosis else ""
                yield f"trying {remedy_text(attempt.remedy)}{cure}"

    def _after(self, spec: RunSpec, session: Session, tuning: Tuning) -> Iterator[str]:
        """Yield what a run has shown, and what it has decided."""
        attempt = spec.attempt
        if attempt is None:
            return
        if attempt.purpose == "batch":
            yield _batch(spec, tuning)
        elif attempt.purpose == "confirmation" and _is_whole(spec, session) and tuning.total is not None:
            yield f"all that was kept: {_so_far(tuning.total)}"
        elif attempt.purpose == "remedy" and _is_whole(spec, session):
            tried = next((each for each in tuning.attempts if each.number == attempt.number), None)
            if tried is not None and tried.state == "measuring" and tried.gain is not None:
                yield f"{tried.remedy.name}: {_so_far(tried.gain)}"
        yield from self._decisions(tuning)
        search = tuning.batch
        if search is not None and search.ended and not self._search_ended:
            self._search_ended = True
            yield f"largest batch that fits: {search.largest:,}; fastest: {search.fastest:,} ({search.ended})"

    def _decisions(self, tuning: Tuning) -> Iterator[str]:
        for tried in tuning.attempts:
            if tried.number is not None and tried.state != "measuring" and tried.number not in self._decided:
                self._decided.add(tried.number)
                yield _decision(tried)


def _so_far(gain: Estimate) -> str:
    return f"{estimate_in_words(gain)} after {count(gain.n, 'pair')}"


def _decision(tried: Tried) -> str:
    what = estimate_in_words(tried.gain) if tried.state == "kept" else tried.why
    return f"{tried.state}: {tried.remedy.name}: {what}"


def _left(tuning: Tuning) -> list[Tried]:
    return [each for each in tuning.tried if each.state == "not tried"]


def _is_whole(spec: RunSpec, session: Session) -> bool:
    """Return whether the run was the second one of its pair to end."""
    ours = spec.attempt
    return all(
        run.state not in ("waiting", "running")
        for run in session.runs.values()
        if run.spec.attempt is not None
        and ours is not None
        and (run.spec.attempt.number, run.spec.repeat) == (ours.number, spec.repeat)
    )


def _batch(spec: RunSpec, tuning: Tuning) -> str:
    batch = spec.workload.batch
    tried = next((each for each in (tuning.batch.tried if tuning.batch else ()) if each.batch == batch), None)
    if tried is None or tried.fits is None:
        return f"batch {batch:,}: not measured"
    if not tried.fits:
        return f"batch {batch:,} does not fit: {tried.why}"
    return f"batch {batch:,}: {rate(tried.throughput, tuning.unit)}"
