"""Trials and the sessions that they come from: each report names the other."""

from __future__ import annotations

import json
from pathlib import Path

from building import recorded
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.export import render
from gpubench_tui.engine.analysis.report.terminal import session_text
from gpubench_tui.engine.analysis.sessions.trend import presets_on, read_trend
from gpubench_tui.engine.analysis.sessions.trials import with_trials
from gpubench_tui.engine.plan.remedy import Remedy
from gpubench_tui.engine.plan.trial_plan import trial_plan
from gpubench_tui.engine.record.events import SessionFinished, SessionStarted
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf

COMPILE = Remedy(name="compile", changes={"compile": True}, ceiling=1.5)


def tried(shelf: Shelf, of: SessionFolder) -> SessionFolder:
    """A trial of a remedy on the last run of a session."""
    plan, host = recorded.plan(2), recorded.host(2)
    plan = trial_plan(plan, plan.to_run[-1], "launch-bound", COMPILE, of.name, host)
    folder = shelf.create("try", plan, host, "")
    journal, at = Journal(folder.journal), 0.0
    journal.append(
        SessionStarted(at=0.0, session=folder.name, program="1", unix_time=1.8e9, pid=1, host=host, plan=plan)
    )
    for spec in plan.runs:
        for event in recorded.run_events(spec, at, 2, False):
            at = max(at, event.at)
            journal.append(event)
    journal.append(SessionFinished(at=at, outcome="finished"))
    return folder


def test_each_report_names_the_other_also_after_a_rename(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first = recorded.shelve(tmp_path, 2, name="monday")
    first = shelf.rename(first, "scaling-1")  # as its journal has it
    trial = tried(shelf, first)
    first = shelf.rename(first, "before-upgrade")
    analysis = with_trials(analyse(read_session(first.journal)), shelf)
    (found,) = analysis.trials
    assert (found.session, found.remedy, found.diagnosis) == (trial.name, "compile", "launch-bound")
    assert found.state == "finished" and found.headline.startswith("Compile: ")
    text = render(analysis, "md")
    assert "## Trials of its remedies" in text and f"- `{trial.name}`: Compile: " in text
    assert json.loads(render(analysis, "json"))["trials"][0]["session"] == trial.name
    assert f"tried in {trial.name}: Compile: " in session_text(analysis, 100)

    whole = with_trials(analyse(read_session(trial.journal)), shelf)
    assert not whole.trials
    assert json.loads(render(whole, "json"))["session"]["tries_on"]["session"] == "scaling-1"
    assert "of the session `scaling-1`" in render(whole, "md")
    lines = session_text(whole, 200).splitlines()
    assert lines[0] == whole.headline and any(
        "compile against launch-bound on the run" in one for one in lines
    )


def test_a_trial_is_no_point_of_its_presets_trend(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first = recorded.shelve(tmp_path, 2, name="monday")
    tried(shelf, first)
    trend = read_trend(shelf, "scaling")
    assert trend is not None and trend.sessions == 1
    shelf.delete(first)
    assert presets_on(shelf) == [] and read_trend(shelf, "scaling") is None
