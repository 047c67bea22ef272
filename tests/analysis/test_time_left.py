"""How much longer: estimates from what is planned, and from what the session has shown so far."""

from __future__ import annotations

import pytest
from building.recorded import plan, recorded_session, session_events
from building.sessions import opening, rank_up, spec, steps
from building.tunes import gone_on, opened
from gpubench_tui.engine.analysis.time_left import (
    Countdown,
    run_seconds_left,
    session_seconds_left,
    share_done,
)
from gpubench_tui.engine.plan.estimate import COMMUNICATION_SECONDS, DETAIL_SECONDS, estimate
from gpubench_tui.engine.plan.pace import Pace
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.record.events import Event, LogMessage, PhaseChanged, RunStarted
from gpubench_tui.engine.record.session import Session, fold
from gpubench_tui.engine.text.units import clock
from msgspec.structs import replace


def run_left(state: Session) -> float:
    left = run_seconds_left(state, state.runs[state.current or ""])
    assert left is not None
    return left


def test_before_anything_was_measured_it_is_the_plans_estimate() -> None:
    state = recorded_session(2, 0.0)
    planned = estimate(plan(2)).high
    assert planned is not None
    assert session_seconds_left(state) == pytest.approx(planned, abs=1.5)


def test_a_run_ends_with_its_closer_look() -> None:
    measuring, looking = recorded_session(2, 3.0), recorded_session(2, 4.06)
    assert measuring.runs[measuring.current or ""].phase == "measuring"
    assert run_left(measuring) > DETAIL_SECONDS
    assert looking.runs[looking.current or ""].phase == "detail"
    assert 0 < run_left(looking) <= DETAIL_SECONDS
    share = share_done(looking, looking.runs[looking.current or ""])
    assert share is not None and 0.5 < share < 1


def test_earlier_runs_show_how_long_later_ones_take() -> None:
    state = recorded_session(2, 10.0)
    done = [run for run in state.runs.values() if run.state == "measured"]
    took = [(run.finished_at or 0.0) - (run.started_at or 0.0) for run in done]
    gone = state.elapsed - (state.runs[state.current or ""].started_at or 0.0)
    # Those before have no communication to look at.
    assert run_left(state) == pytest.approx(
        max(took) - gone + COMMUNICATION_SECONDS + DETAIL_SECONDS, abs=1.0
    )


def test_it_becomes_less_and_never_nothing_until_the_end() -> None:
    end = max(event.at for event in session_events(2))
    states = [recorded_session(2, end * part / 40) for part in range(40)]
    left = [session_seconds_left(state) or 0.0 for state in states]
    assert all(seconds > 0 for seconds, state in zip(left, states, strict=True) if state.current)
    assert left[-1] < left[20] < left[0]


def test_epochs_are_known_once_some_steps_are_done() -> None:
    assert session_seconds_left(recorded_session(2, 0.4, epochs=6)) is None
    state = recorded_session(2, 2.6, epochs=6)
    assert run_left(state) == pytest.approx(4.1 - state.elapsed + DETAIL_SECONDS, abs=1.0)
    assert session_seconds_left(state) is not None


def on_a_cpu(*said: Event, after: float = 1.0) -> Session:
    """Two runs on CPUs, of which the first has said this."""
    measure = Measure(seconds=20.0, windows=5, window_seconds=0.5, detail=0, warmup_steps=10)
    runs = [spec("a", "single", measure=measure), spec("b", "ddp", 2, measure=measure)]
    begun = [*opening(*runs), RunStarted(at=0.0, run="a"), *rank_up("a", 0)]
    return fold([*begun, *said, LogMessage(at=after, level="info", text="")])


WARMING_UP = PhaseChanged(at=2.0, run="a", rank=0, phase="warming up")


def test_on_cpus_nothing_is_known_before_the_first_step() -> None:
    waiting = on_a_cpu(WARMING_UP, after=90.0)
    assert session_seconds_left(waiting) is None
    assert not Countdown().look(waiting)
    stepped = on_a_cpu(WARMING_UP, steps("a", 0, 0, [8.0], at=10.0), after=10.0)
    # Ten steps of warm-up and five windows of one step at least, for both.
    assert run_left(stepped) == pytest.approx(9 * 8 + 5 * 8, abs=1)
    assert session_seconds_left(stepped) == pytest.approx(9 * 8 + 5 * 8 + 15 * 8, abs=12)
    known = on_a_cpu(WARMING_UP, after=2.0)
    pace = Pace(start=2.0, warm_up=30.0, step=8.0, detail=0.0)
    known.plan = replace(known.plan, paces={"a": pace, "b": pace})
    assert session_seconds_left(known) == pytest.approx(30 + 40 + 2 + 30 + 40)


def test_the_time_left_grows_only_with_the_reason() -> None:
    countdown, told = Countdown(), list[str]()
    paced = [steps("a", 0, n, [2.0], at=4.0 + 2 * n) for n in range(5)]
    for seen in range(1, 6):
        told.append(countdown.look(on_a_cpu(WARMING_UP, *paced[:seen], after=2.0 + 2 * seen))[0])
    assert "longer" not in "".join(told)
    assert sorted(told, reverse=True) == told, "it falls"
    slow = [*paced, steps("a", 0, 5, [9.0], at=21.0)]
    grown, shorter, shortest = countdown.look(on_a_cpu(WARMING_UP, *slow, after=21.0))
    assert shorter.endswith("left (longer than expected)")
    assert shortest.endswith("left")
    assert grown.endswith("left (estimate; longer: single x1 takes longer, a step 9.00 s)")
    late, *_ = countdown.look(on_a_cpu(WARMING_UP, *slow, after=400.0))
    assert "longer: warm-up takes longer" in late


def test_a_small_growth_is_not_said_and_what_is_said_is_known() -> None:
    countdown = Countdown()
    assert countdown.seconds is None
    first = on_a_cpu(WARMING_UP, steps("a", 0, 0, [0.5], at=2.5), after=2.5)
    countdown.look(first)
    assert countdown.seconds == session_seconds_left(first)
    slower = on_a_cpu(WARMING_UP, steps("a", 0, 0, [0.5, 0.6], at=3.1), after=3.1)
    words = countdown.look(slower)
    left, before = session_seconds_left(slower), session_seconds_left(first)
    assert countdown.seconds is not None and left is not None and before is not None
    assert left > before > countdown.seconds == pytest.approx(before - 0.6)
    assert f"about {clock(countdown.seconds)} left" in words


def test_a_tune_goes_on_to_its_limit_or_nobody_knows_how_long() -> None:
    bounded = gone_on(opened(minutes=10.0), lambda run: 1000.0, runs=1)[:-1]
    state = fold(bounded)
    left = 600.0 - state.elapsed
    assert session_seconds_left(state) == pytest.approx(left)
    assert Countdown().look(state)[0] == f"about {clock(left)} left (limit of the tune)"
    low, high = estimate(state.plan).low, estimate(state.plan).high
    assert low is not None and low < 60 and high == 600.0
    past = fold(bounded)
    past.elapsed = 700.0
    assert session_seconds_left(past) == 0.0 and "limit" not in Countdown().look(past)[0]
    endless = fold(opened())
    assert session_seconds_left(endless) is None and estimate(endless.plan).high is None
    assert Countdown().look(endless)[0] == "until nothing helps any more"
