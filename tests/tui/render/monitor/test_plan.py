"""The runs of a plan with their states."""

from building.recorded import recorded_session
from driving.rendered import lines_of
from gpubench_tui.tui.render.monitor.plan import current_run_line, plan_list


def test_the_plan_shows_every_state_on_a_line_of_its_own() -> None:
    lines = lines_of(plan_list(recorded_session(8, until=5.0), 78))
    assert len(lines) == 7
    assert lines[0].startswith("✓ single x1") and lines[0].endswith("6,404 samples/s  1.00x")
    assert lines[1].startswith("▶ dp x2")
    assert lines[3].startswith("– dp x16") and "skipped: 16 GPUs asked, 8 here" in lines[3]
    assert lines[4].startswith("· ddp x2") and lines[4].endswith("waiting")
    assert all(len(line) <= 38 for line in lines_of(plan_list(recorded_session(8, until=5.0), 38)))


def test_the_plan_points_at_the_run_that_is_on_among_many_repeats() -> None:
    state = recorded_session(8, until=40.0, repeats=4)
    lines = lines_of(plan_list(state, 38))
    assert len(lines) == 28
    assert lines[current_run_line(state)].startswith("▶ ")
    assert "repeat" in lines[current_run_line(state)]
