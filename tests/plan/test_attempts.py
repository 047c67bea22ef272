"""The plans of trials and of tunes, as they begin."""

from __future__ import annotations

import pytest
from building import recorded
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.plan.preset.preset import Matrix, Measure
from gpubench_tui.engine.plan.remedy import Remedy, Tune
from gpubench_tui.engine.plan.trial_plan import TURNS, trial_plan
from gpubench_tui.engine.plan.tune_plan import NothingToTuneError, run_to_tune, tune_plan
from msgspec.structs import replace

HOST = recorded.host(2)
BF16 = Remedy(name="bf16", changes={"precision": "bf16"}, costs=("numerics",))


def trial(plan: Plan, run: str, remedy: Remedy) -> Plan:
    return trial_plan(plan, plan.run(run), "slow step", remedy, "monday", HOST)


def made(**matrix: object) -> Plan:
    preset = replace(recorded.preset(2), measure=Measure(epochs=2, repeats=2))
    return make_plan("scaling", replace(preset, matrix=Matrix(**matrix)), HOST)


def test_a_trial_takes_a_run_and_its_remedy_in_turns() -> None:
    plan = made(modes=("ddp",), devices=(2,))
    tried = trial(plan, plan.runs[1].id, BF16)
    assert tried.trial is not None
    assert (tried.trial.session, tried.trial.run) == ("monday", plan.runs[1].id)
    assert [(spec.repeat, spec.workload.precision) for spec in tried.runs] == [
        (1, "fp32"),
        (1, "bf16"),
        (2, "bf16"),
        (2, "fp32"),
        (3, "fp32"),
        (3, "bf16"),
        (4, "bf16"),
        (4, "fp32"),
    ], "drift would favour one of the two"
    assert len({spec.id for spec in tried.runs}) == 2 * TURNS
    for spec in tried.runs:
        assert spec.attempt is not None and spec.attempt.remedy == BF16
        assert spec.attempt.changed == (spec.workload.precision == "bf16")
        assert spec.measure.epochs == 0, "whole trainings would take hours"
        against = tried.run(spec.baseline or "")
        assert against.repeat == spec.repeat and against.workload.precision == "fp32"
        assert against.varied == {"precision": "fp32"}
        assert spec.controls == ({"precision": against.id} if spec.attempt.changed else {})
        assert tried.run(spec.configuration).workload == spec.workload
        assert spec.label.count("repeat") == 1 and spec.devices == plan.runs[0].devices


def test_a_remedy_may_be_another_mode_and_what_cannot_be_done_is_skipped_on_both_sides() -> None:
    plan = made(modes=("dp",), devices=(2,))
    ddp = trial(plan, plan.runs[0].id, Remedy(name="ddp", changes={"mode": "ddp"}))
    assert [spec.mode for spec in ddp.runs[:2]] == ["dp", "ddp"]
    compiled = trial(plan, plan.runs[0].id, Remedy(name="compile", changes={"compile": True}))
    assert not compiled.to_run and "compiled model" in next(iter(compiled.skipped))


def test_a_tune_begins_with_the_run_on_most_devices() -> None:
    plan = recorded.plan(2)
    chosen = run_to_tune(plan)
    assert (chosen.mode, chosen.device_count) == ("ddp", 2), "4 GPUs are not there"
    assert run_to_tune(plan, mode="dp").mode == "dp"
    assert run_to_tune(plan, mode="single").device_count == 1
    by_label = run_to_tune(plan, plan.runs[0].label)
    assert by_label == plan.runs[0] == run_to_tune(plan, plan.runs[0].id[:4])
    tuned = tune_plan(plan, chosen, Tune(allow=("recipe",), minutes=3.0))
    (start,) = tuned.runs
    assert start.attempt is not None and start.attempt.purpose == "start"
    assert start.workload == chosen.workload and start.baseline is None
    assert tuned.tune == Tune(allow=("recipe",), minutes=3.0) and tuned.devices == plan.devices
    without = replace(chosen, measure=replace(chosen.measure, detail=0))
    assert tune_plan(plan, without, Tune()).runs[0].measure.detail > 0, "there would be nothing to diagnose"


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("0", None, "'0': there are several runs that begin with it; expected one of 01-"),
        ("x", None, "'x': there is no such run here; expected one of 01-"),
        (None, "fsdp", "scaling has no run of mode fsdp here; it has runs of single, dp, ddp"),
    ],
)
def test_what_cannot_be_tuned_is_a_sentence(name: str | None, mode: str | None, said: str) -> None:
    with pytest.raises(NothingToTuneError) as refused:
        run_to_tune(recorded.plan(2), name, mode)
    assert str(refused.value).startswith(said)


def test_a_preset_without_a_run_that_fits_says_why() -> None:
    too_many = make_plan(
        "big", replace(recorded.preset(0), matrix=Matrix(modes=("fsdp",), devices=(64,))), HOST
    )
    with pytest.raises(NothingToTuneError, match="big has no run that can be tuned here: needs 64 GPUs"):
        run_to_tune(replace(too_many, runs=too_many.runs[-1:]))
