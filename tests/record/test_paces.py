"""Paces that are remembered from session to session."""

from __future__ import annotations

from pathlib import Path

import pytest
from building.recorded import host, plan, session_events
from building.sessions import measured, opening, session, spec
from gpubench_tui.engine.plan.pace import Pace
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record import paces as paces_module
from gpubench_tui.engine.record.paces import (
    pace_key,
    paces_file,
    read_paces,
    remember_pace,
    shown_pace,
    with_paces,
)
from gpubench_tui.engine.record.session import fold
from msgspec.structs import replace

PACE = Pace(start=2.0, warm_up=3.0, step=0.5, detail=4.0)


def test_a_pace_is_known_for_the_same_work_on_the_same_machine_alone() -> None:
    single, ddp = spec("a", "single"), spec("b", "ddp", 2)
    here = host(0)
    same = replace(single, id="other", workloads=(Workload(name="else", learning_rate=0.5),))
    assert pace_key(same, here) == pace_key(single, here)
    others = [
        ddp,
        replace(single, workloads=(Workload(batch=64),)),
        replace(single, workloads=(Workload(precision="bf16"),)),
    ]
    keys = {pace_key(each, here) for each in [single, *others]} | {pace_key(single, replace(here, name="b"))}
    assert len(keys) == 5
    known = with_paces(plan(0), here, {pace_key(plan(0).runs[0], here): PACE})
    assert known.paces == {plan(0).runs[0].id: PACE}


def test_the_newest_pace_counts_but_for_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_paces(tmp_path) == {}
    remember_pace(tmp_path, "a", PACE)
    slower = replace(PACE, start=7.0, step=0.75)
    remember_pace(tmp_path, "a", slower)
    assert read_paces(tmp_path) == {"a": replace(slower, start=2.0)}
    monkeypatch.setattr(paces_module, "MOST_PACES", 2)
    for key in ("b", "a", "c"):
        remember_pace(tmp_path, key, PACE)
    assert list(read_paces(tmp_path)) == ["a", "c"], "the one that is not used any more is forgotten"
    paces_file(tmp_path).write_text("{")
    assert read_paces(tmp_path) == {}
    remember_pace(tmp_path / "nowhere", "a", PACE)


def test_a_measured_run_shows_its_pace() -> None:
    recorded = fold(session_events(2))
    run = next(each for each in recorded.runs.values() if each.state == "measured")
    began, ended = run.started_at or 0.0, run.finished_at or 0.0
    shown = shown_pace(run, began, ended)
    assert shown is not None and shown.epoch is None
    assert shown.step == pytest.approx(0.02, rel=0.2)
    windows = shown.step * sum(window.steps for window in run.complete_windows)
    assert shown.start + shown.warm_up + windows + shown.detail == pytest.approx(ended - began, rel=0.2)
    silent = session(opening(spec("a", "single")), measured("a", [[1.0] * 5]))
    assert shown_pace(silent.runs["a"], 0.0, 10.0) is None, "its phases were not told"
