"""The runs of a plan with their states."""

import re

from building.recorded import host, recorded_session
from driving.rendered import lines_of
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.tui.render.monitor.plan import current_run_line, plan_list, planned_runs


def test_the_plan_shows_every_state_on_a_line_of_its_own() -> None:
    lines = lines_of(plan_list(recorded_session(8, until=5.0), 78))
    assert len(lines) == 7
    assert lines[0].startswith("✓ single x1") and lines[0].endswith("6,404 samples/s  1.00x")
    assert lines[1].startswith("▶ dp x2")
    assert lines[3].startswith("– dp x16") and "skipped: needs 16 GPUs, 8 present" in lines[3]
    assert lines[4].startswith("· ddp x2") and lines[4].endswith("waiting")
    assert all(len(line) <= 38 for line in lines_of(plan_list(recorded_session(8, until=5.0), 38)))


def test_the_plan_points_at_the_run_that_is_on_among_many_repeats() -> None:
    state = recorded_session(8, until=40.0, repeats=4)
    lines = lines_of(plan_list(state, 38))
    assert len(lines) == 28
    assert lines[current_run_line(state)].startswith("▶ ")
    assert "repeat" in lines[current_run_line(state)]


def test_a_planned_run_names_its_batch_once() -> None:
    plan = make_plan("scaling", find_preset("scaling").read(()), host(0))
    lines = [line for line in lines_of(planned_runs(plan, 78)) if re.match(r" *\d+ single x1", line)]
    assert len(lines) > 1
    assert all(line.count("batch") == 1 for line in lines)


def test_a_planned_run_shows_how_its_global_batch_comes_about() -> None:
    overrides = ["workload.batch=16", "workload.accumulate=4", "matrix.batches=[]", "matrix.devices=[2]"]
    plan = make_plan("scaling", find_preset("scaling").read(overrides), host(2))
    lines = lines_of(planned_runs(plan, 78))
    assert any("batch 2 x 16 x 4 = 128" in line for line in lines if "ddp x2" in line)
