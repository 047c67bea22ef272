"""Sessions that the app starts: trials, tunes, and both of them once more."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import recorded
from gpubench_tui.engine.conductor import same_machine
from gpubench_tui.engine.host.facts import Host
from gpubench_tui.engine.plan.preset.library import find_preset
from gpubench_tui.engine.plan.remedy import Remedy, Tune
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.data import start_sessions
from gpubench_tui.tui.data.planned_presets import plan_preset
from gpubench_tui.tui.data.start_sessions import RefusedError, once_more, trial_of, tune_of

BF16 = Remedy(name="bf16", changes={"precision": "bf16"}, costs=("numerics",))
HOST = recorded.host(2)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Host:
    """The machine with two GPUs, which this version of the program has measured."""
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: HOST)
    monkeypatch.setattr(same_machine, "program_version", lambda: "0.1.0")
    monkeypatch.setattr(start_sessions, "inspect_host", lambda gpus: HOST)
    return HOST


@pytest.fixture
def measured(tmp_path: Path) -> SessionFolder:
    return recorded.shelve(tmp_path, 2, name="monday")


def last_run() -> str:
    return recorded.plan(2).to_run[-1].id


def test_a_trial_can_be_made_and_repeated(here: Host, measured: SessionFolder, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    folder = trial_of(measured, last_run(), "low MFU in fp32", BF16).create(shelf)
    plan = folder.request().plan
    assert folder.stem == "try-monday" and plan.trial is not None and plan.trial.session == measured.name
    again = once_more(None, folder)
    assert again.plan == plan and again.create(shelf).stem == "try-monday"


def test_a_trial_is_refused_on_another_machine_and_with_what_cannot_be_run(
    here: Host, measured: SessionFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RefusedError, match=r"sky cannot be tried on monday-.*: .*unknown field"):
        trial_of(measured, last_run(), "low MFU", Remedy(name="sky", changes={"sky": "blue"}))
    static = {"static_graph": True, "find_unused_parameters": True}
    with pytest.raises(RefusedError, match="cannot be tried here: ddp with a static graph"):
        trial_of(measured, last_run(), "no overlap", Remedy(name="static graph", changes=static))
    folder = trial_of(measured, last_run(), "low MFU in fp32", BF16).create(Shelf(tmp_path))
    monkeypatch.setattr(same_machine, "program_version", lambda: "99")
    with pytest.raises(RefusedError, match=r"measured elsewhere .*\(gpubench-tui: 99 against 0.1.0\)"):
        trial_of(measured, last_run(), "low MFU in fp32", BF16)
    monkeypatch.setattr(start_sessions, "inspect_host", lambda gpus: recorded.host(0))
    with pytest.raises(RefusedError, match=r"cannot be run again: GPU 0 .* is not here"):
        once_more(None, folder)


def test_a_tune_can_be_made_and_begun_again(here: Host, tmp_path: Path) -> None:
    preset = plan_preset(find_preset("quickstart"), (), here)
    bounds = Tune(allow=("recipe",), minutes=4.0)
    folder = tune_of(preset, here, bounds).create(Shelf(tmp_path))
    plan = folder.request().plan
    assert folder.stem == "tune-quickstart" and plan.tune == bounds and plan.runs[0].mode == "ddp"
    again = once_more(None, folder).plan
    assert (again.tune, again.runs) == (plan.tune, plan.runs)
    with pytest.raises(RefusedError, match=r"has no run that can be tuned here|concurrent"):
        only = plan_preset(find_preset("quickstart"), ["matrix.modes=['concurrent']"], here)
        tune_of(only, here, bounds)
