"""Whole trials and tunes: what a remedy brings is measured, kept or refused, stopped and gone on with.

The ranks make their figures up; everything else is what the program does.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.tuning.trial import trial_outcome
from gpubench_tui.engine.analysis.tuning.tuning import Tuning, tuning_of
from gpubench_tui.engine.conductor import same_machine
from gpubench_tui.engine.conductor.control import stop_session
from gpubench_tui.engine.conductor.resume import NothingLackingError, plan_resumption
from gpubench_tui.engine.conductor.trial import plan_trial
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.remedy import Attempt, Cost, Tune
from gpubench_tui.engine.plan.trial_plan import TURNS
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import LogMessage, RunsAdded, Steps
from gpubench_tui.engine.record.session import read_session
from gpubench_tui.engine.record.shelf import Shelf
from msgspec.structs import replace

from .conftest import Session, Start, run_spec
from .ranks import TUNED_MODEL

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nursery")]


def slow_loader() -> RunSpec:
    workload = Workload(model=TUNED_MODEL, batch=64, placement="loader", loader_workers=1, images=5000)
    workload = replace(workload, prefetch=8, precision="bf16", channels_last=True, compile=True)
    return replace(run_spec(0, "tuned", ranks=1), mode="single", workloads=(workload,))


@pytest.fixture
def tune(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start a tune of images that a loader delivers, with these costs allowed."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def _tune(*allow: Cost) -> Session:
        run = replace(slow_loader(), attempt=Attempt(number=0, purpose="start"))
        return start(run, tune=Tune(allow=allow), devices=run.devices)

    return _tune


def tuning(session: Session) -> Tuning:
    found = tuning_of(read_session(session.folder.journal))
    assert found is not None
    return found


def presets(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "config" / "gpubench-tui" / "presets").glob("*"))


def test_a_trial_says_what_the_remedy_of_a_diagnosis_brings(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = slow_loader()
    session = start(run, devices=run.devices)
    assert session.wait() == 0
    recorded = read_session(session.folder.journal)
    (found,) = (each for each in analyse(recorded).diagnoses if each.remedies)
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: recorded.host)
    trial = plan_trial(session.folder, recorded, found.runs[0], found.name, found.remedies[0])
    tried = Session(trial.create(Shelf(session.folder.path.parent), None), session.nursery)
    assert tried.wait() == 0
    whole = read_session(tried.folder.journal)
    assert [run.state for run in whole.runs.values()] == ["measured"] * 2 * TURNS
    outcome = trial_outcome(whole)
    assert outcome is not None and outcome.cured and outcome.gain is not None
    assert outcome.gain.interval is not None and outcome.gain.interval[0] > 1.8
    assert outcome.gain.interval[1] < (outcome.remedy.ceiling or 0) * 1.05, "which is derived from the phases"
    assert analyse(whole).headline.startswith("Resident data: 1.8")
    assert "at most 2.00x was possible; input-bound is gone" in analyse(whole).headline


def test_a_slow_loader_is_cured_the_largest_batch_found_and_the_settings_kept(
    tune: Start, tmp_path: Path
) -> None:
    taken = tmp_path / "config" / "gpubench-tui" / "presets" / "test-tuned.toml"
    taken.parent.mkdir(parents=True)
    taken.write_text("mine")
    session = tune("memory", "recipe")
    assert session.wait() == 0, "memory that does not suffice for a larger batch is a result"
    found = tuning(session)
    assert found.stage == "ended" and found.ended == "no remedy is left"
    assert found.kept == {"placement": "device", "batch": 256}
    assert found.batch is not None and found.batch.largest == 256
    assert found.total is not None and found.total.interval is not None
    assert 1.9 < found.total.interval[0] < found.total.value < 2.3
    assert found.confirmed
    assert presets(tmp_path) == [taken.with_stem("test-tuned-2"), taken] and taken.read_text() == "mine"
    text = taken.with_stem("test-tuned-2").read_text()
    read_preset(text, "tuned")
    assert tomllib.loads(text)["workload"]["placement"] == "device"
    said = [event.text for event in session.events() if isinstance(event, LogMessage)]
    assert any(str(taken.with_stem("test-tuned-2")) in each for each in said)
    assert "resident data" in analyse(read_session(session.folder.journal)).headline


def test_what_brings_nothing_is_refused_and_no_settings_are_written(tune: Start, tmp_path: Path) -> None:
    session = tune()
    assert session.wait() == 0
    found = tuning(session)
    outcomes = {each.remedy.name: (each.state, each.why.partition(":")[0]) for each in found.tried}
    assert outcomes.pop("resident data") == ("not tried", "it takes more memory, which is not allowed")
    assert outcomes.pop("batch 128") == ("not tried", "it changes the recipe, which is not allowed")
    assert outcomes and {state for state, _ in outcomes.values()} == {"refused"}, "loading in advance"
    assert not found.kept and found.total is None and not presets(tmp_path)
    assert analyse(read_session(session.folder.journal)).headline.startswith("No change helped")


def test_stopped_before_it_is_confirmed_it_keeps_what_it_has_and_goes_on_when_resumed(
    tune: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINGERS", "confirmation")
    session = tune("memory")
    session.until(lambda event: isinstance(event, Steps))
    (added,) = [event for event in session.events() if isinstance(event, RunsAdded)][-1:]
    assert stop_session(session.folder)
    assert session.wait() == 130
    found = tuning(session)
    assert found.ended == "stopped by the user" and found.kept == {"placement": "device"}
    (written,) = presets(tmp_path)
    assert "not measured anew" in written.read_text()

    recorded = read_session(session.folder.journal)
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: recorded.host)
    resumption = plan_resumption(session.folder)
    lacking = {spec.id for spec in resumption.lacking}
    assert lacking == {spec.id for spec in added.runs} & recorded.runs.keys()
    folder = resumption.create(Shelf(session.folder.path.parent), "again")
    monkeypatch.delenv("LINGERS")
    again = Session(folder, session.nursery)
    assert again.wait() == 0
    whole = read_session(folder.journal)
    assert {name for name, run in whole.runs.items() if run.taken_over} == recorded.runs.keys() - lacking
    found = tuning(again)
    assert found.confirmed and found.ended == "no remedy is left" and len(presets(tmp_path)) == 2
    with pytest.raises(NothingLackingError):
        plan_resumption(folder)
