"""A journal may be damaged in any way: it is folded, analysed, reported, listed, compared and drawn."""

from __future__ import annotations

import contextlib
import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from building import all_kinds, demo, recorded, ring_sessions, trials, tunes
from gpubench_tui.engine.analysis.analysis import Analysis, analyse
from gpubench_tui.engine.analysis.diagnosis.stragglers import paces
from gpubench_tui.engine.analysis.export import FORMATS, render
from gpubench_tui.engine.analysis.projection.link_rate import LinkRate
from gpubench_tui.engine.analysis.projection.projection import projections
from gpubench_tui.engine.analysis.report.projection import projection_text, render_projection
from gpubench_tui.engine.analysis.report.terminal import terminal_report
from gpubench_tui.engine.analysis.sessions.compare import compare_all
from gpubench_tui.engine.analysis.sessions.comparison_report import render_comparison
from gpubench_tui.engine.analysis.sessions.overview import ShelfOverview
from gpubench_tui.engine.analysis.time_left import session_seconds_left
from gpubench_tui.engine.analysis.tuning.next_runs import next_runs
from gpubench_tui.engine.analysis.tuning.settings_file import settings_file
from gpubench_tui.engine.analysis.tuning.trial import trial_outcome
from gpubench_tui.engine.analysis.tuning.tuning import tuning_of
from gpubench_tui.engine.analysis.tuning.words import estimate_in_words
from gpubench_tui.engine.conductor.growth import goes_on_when_resumed
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.record.events import Event, RunFinished, RunsAdded, SessionFinished
from gpubench_tui.engine.record.journal import last_moment, read_journal
from gpubench_tui.engine.record.session import Session, read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.engine.record.takeover import lacking_runs
from gpubench_tui.engine.text.encoding import encode_json
from gpubench_tui.tui.cli.tuning_lines import TuningLines
from gpubench_tui.tui.render.communication import communication_table
from gpubench_tui.tui.render.curves import curves
from gpubench_tui.tui.render.devices import devices_table
from gpubench_tui.tui.render.diagnoses import diagnosis_lines
from gpubench_tui.tui.render.monitor.cpu_strip import cpu_strip
from gpubench_tui.tui.render.monitor.current_run import current_run
from gpubench_tui.tui.render.monitor.gpu_strip import GpuPast, gpu_strips, throttled_gpus
from gpubench_tui.tui.render.monitor.logs import session_log
from gpubench_tui.tui.render.monitor.plan import current_run_line, plan_list, plan_title
from gpubench_tui.tui.render.monitor.rank_bars import rank_bars, rank_title
from gpubench_tui.tui.render.monitor.run_plots import PlotArea, loss_plot, throughput_plot
from gpubench_tui.tui.render.monitor.time_range import TIME_RANGES
from gpubench_tui.tui.render.phases import phase_bars
from gpubench_tui.tui.render.projection import projection_table
from gpubench_tui.tui.render.published import published_figures
from gpubench_tui.tui.render.results_header import closing, opening, title_line
from gpubench_tui.tui.render.results_table import results_remarks, results_table
from gpubench_tui.tui.render.sessions_table import session_details
from gpubench_tui.tui.render.speedup_bars import speedup_bars
from gpubench_tui.tui.render.tuning import found_settings, tuning_title, waterfall
from hypothesis import strategies as st
from msgspec.structs import replace

from .hostile import ODD_NUMBERS, texts, values
from .rounds import fuzz

pytestmark = pytest.mark.slow

Lines = list[Any]
Change = Callable[[Lines], None]

WIDTH = 90


def lines_of(events: list[Event]) -> Lines:
    return [json.loads(encode_json(event)) for event in events]


def thinned(events: list[Event]) -> list[Event]:
    """Some of each kind: a whole session has thousands of steps."""
    seen: dict[type[Event], int] = {}
    kept = []
    for event in events:
        seen[type(event)] = seen.get(type(event), 0) + 1
        if seen[type(event)] <= 6:
            kept.append(event)
    return kept


def tune_events() -> list[Event]:
    """A tune that keeps a change, refuses another, looks for the largest batch and confirms."""
    detail = {"input": [0.06] * 5, "forward": [0.02] * 5, "backward": [0.02] * 5}

    def rate(run: RunSpec) -> float:
        if run.workload.batch > 256:
            raise tunes.out_of_memory(run.workload.batch)
        return 100.0 * (2.0 if run.workload.placement == "device" else 1.0) * (1 + run.workload.batch / 640)

    workload = replace(trials.LOADED, loader_workers=1)
    begun = tunes.opened(allow=("memory", "recipe", "numerics"), minutes=600, workload=workload)
    return tunes.gone_on(begun, rate, detail=lambda _: detail)


def trial_events() -> list[Event]:
    """A trial of a remedy that helps."""
    with tempfile.TemporaryDirectory() as parent:
        trial = trials.shelve_trial(trials.shelve_slow_input(Path(parent)))
        return list(read_journal(trial.journal))


JOURNALS: tuple[Lines, ...] = (
    lines_of(all_kinds.EVENTS),
    lines_of(demo.EVENTS),
    lines_of(thinned(list(recorded.session_events(4, epochs=2)))),
    lines_of(ring_sessions.ring_events((1, 2, 4), details=True, accumulate=8)),
    lines_of(thinned(list(recorded.session_events(0, fail="02", repeats=2)))),
    lines_of(tune_events()),
    lines_of(trial_events()),
)
GOOD = tuple(Session("good") for _ in range(2))
for good, events in zip(GOOD, (demo.EVENTS, all_kinds.EVENTS), strict=True):
    for each in events:
        good.apply(each)

places = st.integers(0, 10_000)


def inner(value: Any, turns: list[int]) -> tuple[Any, Any]:
    """Return a container within a value and a key of it, at the end of a path of these turns."""
    key: Any = None
    container: Any = None
    for turn in turns:
        if not isinstance(value, dict | list) or not value:
            break
        container = value
        key = sorted(value)[turn % len(value)] if isinstance(value, dict) else turn % len(value)
        value = container[key]
    return container, key


def bent(place: int, turns: list[int], integer: int, number: float, text: str) -> Change:
    """Put an odd value of the same kind in the place of another, so that the line can still be read."""

    def change(lines: Lines) -> None:
        container, key = inner(lines[place % len(lines)], turns) if lines else (None, None)
        if container is None or key == "event":
            return
        match container[key]:
            case bool(given):
                container[key] = not given
            case int():
                container[key] = integer
            case float() | None:
                container[key] = number
            case str():
                container[key] = text
            case list(given):
                container[key] = ([], given * 2, given[::-1], given[:1])[integer % 4]
            case dict(given):
                container[key] = dict(list(given.items())[:-1])

    return change


def replaced(place: int, turns: list[int], value: Any) -> Change:
    def change(lines: Lines) -> None:
        container, key = inner(lines[place % len(lines)], turns) if lines else (None, None)
        if container is not None and key != "event":
            container[key] = copy.deepcopy(value)

    return change


def removed(place: int, turns: list[int]) -> Change:
    def change(lines: Lines) -> None:
        container, key = inner(lines[place % len(lines)], turns) if lines else (None, None)
        if container is not None:
            del container[key]

    return change


def everywhere(key: str, value: Any) -> Change:
    def change(lines: Lines) -> None:
        for line in lines:
            if isinstance(line, dict) and key in line and key != "event":
                line[key] = copy.deepcopy(value)

    return change


def moved(place: int, to: int, keep: bool) -> Change:
    def change(lines: Lines) -> None:
        if lines:
            line = lines[place % len(lines)]
            if not keep:
                lines.pop(place % len(lines))
            lines.insert(to % (len(lines) + 1), copy.deepcopy(line))

    return change


def dropped(start: int, count: int) -> Change:
    def change(lines: Lines) -> None:
        first = start % (len(lines) + 1)
        del lines[first : first + count]

    return change


KEYS = sorted({key for lines in JOURNALS for line in lines for key in line})
turns = st.lists(places, min_size=1, max_size=6)
integers = st.sampled_from([number for number in ODD_NUMBERS if isinstance(number, int)]) | st.integers()
floats = st.sampled_from([number for number in ODD_NUMBERS if isinstance(number, float)]) | st.floats()
changes = st.one_of(
    st.builds(bent, places, turns, integers, floats, texts),
    st.builds(bent, places, turns, integers, floats, texts),
    st.builds(replaced, places, turns, values),
    st.builds(removed, places, turns),
    st.builds(everywhere, st.sampled_from(KEYS), values),
    st.builds(moved, places, places, st.booleans()),
    st.builds(dropped, places, st.integers(1, 30)),
)


def written(lines: Lines) -> bytes:
    return b"".join(
        json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass") + b"\n"
        for line in lines
    )


def draw_monitor(session: Session) -> None:
    run = next((run for run in reversed(session.runs.values()) if run.started_at is not None), None)
    if session.started:
        plan_title(session)
    plan_list(session, WIDTH)
    current_run_line(session)
    current_run(session, WIDTH)
    session_seconds_left(session)
    session_log(session.log)
    for time in TIME_RANGES:
        area = PlotArea(WIDTH, 12, True, time)
        throughput_plot(session, run, area)
        loss_plot(run, area)
        samples = [history.last for _, history in sorted(session.gpus.items())]
        gpu_strips(samples, WIDTH, 8, GpuPast(session.gpus, session.elapsed, time))
        throttled_gpus(samples)
    cpu_strip(session.cpu.last, WIDTH)
    if run is not None and (known := paces(run)) is not None:
        rank_title(known)
        rank_bars(known, WIDTH, 8)


def draw_results(analysis: Analysis, folder: Path) -> None:
    title_line(analysis.session, True)
    for part in (communication_table, devices_table, phase_bars, projection_table):
        part(analysis, True, WIDTH)
    for diagnosis in analysis.diagnoses:
        diagnosis_lines(diagnosis, WIDTH, with_evidence=True)
    curves(analysis, WIDTH, True)
    published_figures(analysis, WIDTH)
    opening(analysis, WIDTH)
    closing(analysis, WIDTH)
    results_table(analysis.results, WIDTH)
    results_remarks(analysis.results, folder, WIDTH)
    speedup_bars(analysis.results, WIDTH)


def check_tune(session: Session) -> None:
    """What a tune and a trial show, and what resuming would go on with."""
    lines = TuningLines()
    for run in session.runs.values():
        for event in (
            RunsAdded(at=0.0, runs=(run.spec,)),
            RunFinished(at=0.0, run=run.spec.id, outcome="stopped"),
        ):
            list(lines.of_event(event, session))
    list(lines.of_event(SessionFinished(at=0.0, outcome="finished"), session))
    if (outcome := trial_outcome(session)) is not None:
        estimate_in_words(outcome.gain)
    tuning = tuning_of(session)
    if tuning is not None:
        waterfall(tuning, WIDTH)
        tuning_title(tuning)
        found_settings(tuning, session.log, WIDTH)
    with contextlib.suppress(ValueError):
        settings_file(session)
    next_runs(session)
    lacking_runs(session)
    goes_on_when_resumed(session)


def check_journal(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = SessionFolder(Path(parent, "odd"))
        folder.path.mkdir()
        folder.journal.write_bytes(content)
        session = read_session(folder.journal)
        analysis = analyse(session)
        for form in FORMATS:
            render(analysis, form).encode()
        json.loads(render(analysis, "json"))
        terminal_report(analysis, WIDTH)
        projected = projections(analysis.inquiry, (64, 1024), LinkRate(5e-6, 50e9), 2**20)
        json.loads(render_projection("odd", projected, "json"))
        projection_text(projected, WIDTH)
        draw_monitor(session)
        draw_results(analysis, folder.path)
        for form in ("text", "md", "json"):
            render_comparison(compare_all(GOOD[0], [session, GOOD[1]]), form)
            render_comparison(compare_all(session, [GOOD[0]]), form)
        last_moment(folder.journal)
        check_tune(session)
        shelf = ShelfOverview(Shelf(Path(parent)))
        for entry in shelf.read():
            session_details(entry, WIDTH)
        shelf.complete(folder.name)
        again = ShelfOverview(Shelf(Path(parent)))
        assert [entry.name for entry in again.read()] == [entry.name for entry in shelf.read()]


@fuzz(80, lines=st.sampled_from(JOURNALS), changed=st.lists(changes, min_size=1, max_size=5))
def test_any_change_of_a_journal_leaves_a_report(lines: Lines, changed: list[Change]) -> None:
    own = copy.deepcopy(lines)
    for change in changed:
        change(own)
    check_journal(written(own))


@fuzz(
    40,
    lines=st.sampled_from(JOURNALS),
    start=st.integers(0, 100_000),
    length=st.integers(0, 3000),
    piece=st.binary(max_size=12) | texts.map(lambda text: text.encode(errors="surrogatepass")),
)
def test_any_damage_to_a_journal_leaves_a_report(lines: Lines, start: int, length: int, piece: bytes) -> None:
    content = written(lines)
    start %= len(content)
    check_journal(content[:start] + piece + content[start + length :])
