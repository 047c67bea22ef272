"""How much longer: estimates from what is planned, and from what the session has shown so far."""

from __future__ import annotations

import pytest
from building.recorded import plan, recorded_session, session_events
from gpubench_tui.engine.analysis.time_left import run_seconds_left, session_seconds_left, share_done
from gpubench_tui.engine.plan.estimate import COMMUNICATION_SECONDS, DETAIL_SECONDS, estimate
from gpubench_tui.engine.record.session import Session


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
