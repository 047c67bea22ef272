"""Noise between sessions: assumed or estimated, verdicts under it, and the past sessions that tell it."""

import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from building.sessions import HOST, compare_pair, measured, opening, session, spec
from gpubench_tui.engine.analysis.sessions.change import Change
from gpubench_tui.engine.analysis.sessions.noise import ASSUMED, Noise, estimate_noise, past_sessions
from gpubench_tui.engine.host.facts import CpuSample
from gpubench_tui.engine.record.events import Event, Sampled, SessionFinished, SessionStarted
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import Session, read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli.main import main
from msgspec.structs import replace

STEADY = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98]
SINGLE = spec("single", "single")
WITHIN = 0.004
"""Noise of a session's figure within it."""


def judged(noise: float, past: int, slower: float, draws: int = 3000) -> tuple[float, float]:
    """Shares of simulated pairs of sessions whose interval excludes 1, and that fail a gate of 5%."""
    source = random.Random(f"{noise} {past} {slower}")

    def figure(factor: float = 1.0) -> float:
        return factor * math.exp(source.gauss(0, math.hypot(noise, WITHIN)))

    apart = alarms = 0
    for _ in range(draws):
        a, b = figure(), figure(1 - slower)
        found = estimate_noise(a, b, [figure() for _ in range(past)])
        half = 1.96 * math.sqrt(2) * WITHIN
        low, high = found.widen(b / a, (b / a * math.exp(-half), b / a * math.exp(half)))
        apart += not low <= 1 <= high
        alarms += high < 1 and b / a < 0.95
    return apart / draws, alarms / draws


@pytest.mark.parametrize("past", [3, 5, 10, 20])
@pytest.mark.parametrize("noise", [0.005, 0.01, 0.02, 0.05])
def test_unchanged_programs_differ_in_one_verdict_of_twenty(noise: float, past: int) -> None:
    wrong, alarms = judged(noise, past, 0.0)
    assert wrong < 0.06
    assert alarms < 0.035


@pytest.mark.parametrize("noise", [0.005, 0.01, 0.02])
def test_the_assumption_covers_as_much_noise_as_it_says(noise: float) -> None:
    assert judged(noise, 0, 0.0)[0] < 0.065


@pytest.mark.parametrize(("past", "least"), [(0, 0.93), (3, 0.83), (4, 0.91), (5, 0.94), (9, 0.97)])
def test_a_regression_of_a_tenth_is_found_where_the_noise_is_a_fiftieth(past: int, least: float) -> None:
    assert judged(0.02, past, 0.1)[0] > least


def test_an_interval_is_widened_on_both_sides_of_the_ratio() -> None:
    noise = Noise(0.02, 0, None)
    half = 1.96 * math.sqrt(2) * 0.02
    low, high = noise.widen(0.9, (0.9 * math.exp(-0.03), 0.9 * math.exp(0.04)))
    assert math.log(0.9 / low) == pytest.approx(math.hypot(0.03, half), rel=1e-3)
    assert math.log(high / 0.9) == pytest.approx(math.hypot(0.04, half), rel=1e-3)


def test_two_past_sessions_are_too_few() -> None:
    assert estimate_noise(1.0, 1.0, [1.2, 0.8]) == Noise(ASSUMED, 0, None)
    found = estimate_noise(1.0, 1.0, [1.1, 0.9, 1.0])
    assert found.sessions == 3 and found.deviation > 0.05


def test_each_side_is_the_mean_of_its_sessions() -> None:
    found = estimate_noise(1.1, 0.9, [1.0, 1.0, 1.0], [1.0])
    assert (found.freedom, found.variances) == (3, pytest.approx(1 / 4 + 1 / 2))
    assert found.shift == pytest.approx(0.75 * math.log(1.1) - 0.5 * math.log(0.9))
    low, high = found.widen(0.9 / 1.1, (0.9 / 1.1, 0.9 / 1.1))
    assert math.sqrt(low * high) == pytest.approx(0.9**0.5 / 1.1**0.25)


def test_an_interval_never_leaves_out_the_ratio_of_the_two_sessions() -> None:
    found = estimate_noise(0.9, 0.9, [1.0] * 30)
    assert math.log(1 - found.half_width) + found.shift < -0.05
    assert found.widen(1.0, (1.0, 1.0))[1] == 1.0


def one(factor: float, **changes: object) -> Session:
    """A session of one run, so much slower."""
    settings = {"threads": 1} | changes
    return session(
        opening(SINGLE),
        measured("single", [[factor * each for each in STEADY]], settings=settings),  # type: ignore[arg-type]
    )


def change_of(b: float, past: Sequence[Session]) -> Change:
    (change,) = compare_pair(one(1.0), one(b), past).changes
    return change


def test_unchanged_programs_are_seldom_told_apart() -> None:
    source = random.Random(5)
    noise = [math.exp(source.gauss(0, 0.01)) for _ in range(60)]
    pairs = zip(noise[::2], noise[1::2], strict=True)
    verdicts = [compare_pair(one(a), one(b)).changes[0].verdict for a, b in pairs]
    assert len(verdicts) - verdicts.count("no difference") <= 1


def test_past_sessions_tell_the_noise() -> None:
    quiet = change_of(1.06, [one(factor) for factor in (1.0, 1.001, 0.999, 1.0, 1.0, 1.001)])
    loud = change_of(1.15, [one(factor) for factor in (1.0, 1.1, 0.9, 1.05, 0.95, 1.0)])
    assumed = change_of(1.06, [one(1.0), one(1.1)])
    assert quiet.noise is not None and loud.noise is not None and assumed.noise is not None
    assert quiet.noise.deviation < ASSUMED < loud.noise.deviation
    assert (quiet.noise.sessions, loud.noise.sessions, assumed.noise.sessions) == (6, 6, 0)
    assert (quiet.verdict, loud.verdict) == ("worse", "no difference")


def test_only_sessions_alike_tell_it() -> None:
    other_settings = [one(factor, threads=2) for factor in (1.0, 1.3, 0.8, 1.1)]
    elsewhere = [one(factor) for factor in (1.0, 1.3, 0.8, 1.1)]
    for each in elsewhere:
        each.host = replace(HOST, name="elsewhere")
    disturbed = [one(factor) for factor in (1.0, 1.3, 0.8, 1.1)]
    cpu = CpuSample((50.0,) * 4, 1 << 30, 1 << 33, 150.0, 1 << 30, others_percent=40.0)
    for each in disturbed:
        for half in range(20):
            each.apply(Sampled(at=half / 2, gpus=[], cpu=cpu))
    change = change_of(1.06, [*other_settings, *elsewhere, *disturbed])
    assert change.noise == Noise(ASSUMED, 0, None)


def test_both_fingerprints_count() -> None:
    past = [one(factor, threads=threads) for threads in (1, 2) for factor in (1.0, 1.05)]
    (change,) = compare_pair(one(1.0), one(1.0, threads=2), past).changes
    assert change.noise is not None and (change.noise.sessions, change.noise.freedom) == (4, 3)


def shelve_run(root: Path, name: str, factor: float, unix_time: float) -> SessionFolder:
    events: list[Event] = [
        *opening(SINGLE),
        *measured("single", [[factor * each for each in STEADY]]),
        SessionFinished(at=60.0, outcome="finished"),
    ]
    started = events[0]
    assert isinstance(started, SessionStarted)
    folder = Shelf(root).create(name, started.plan, HOST, "")
    journal = Journal(folder.journal)
    for event in (replace(started, session=folder.name, unix_time=unix_time), *events[1:]):
        journal.append(event)
    journal.close()
    return folder


def test_the_command_reads_the_past_from_the_shelf(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = shelve_run(tmp_path, "a", 1.0, 1e9), shelve_run(tmp_path, "b", 1.09, 1e9 + 5)
    gate = ["compare", a.name, b.name, f"--sessions-dir={tmp_path}", "--fail-on-regression=5"]
    assert main(gate) == 1
    assert "noise between sessions: 2.0%, assumed" in " ".join(capsys.readouterr().out.split())
    for number, factor in enumerate((1.0, 1.1, 0.93, 1.04)):
        shelve_run(tmp_path, f"past-{number}", factor, 1e9 + number)
    shelve_run(tmp_path, "later", 3.0, 1e9 + 9)
    (tmp_path / "empty").mkdir()
    assert main(gate) == 0
    assert "estimated from 4 comparable past sessions" in " ".join(capsys.readouterr().out.split())
    read = [read_session(folder.journal) for folder in (a, b)]
    assert {each.name[: len("past-0")] for each in past_sessions([a, b], read)} == {
        f"past-{number}" for number in range(4)
    }
