from __future__ import annotations

import random
from pathlib import Path

import pytest
from building.sessions import spec
from building.tunes import ended, gone_on, opened, out_of_memory
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.tuning.settings_file import settings_file
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.learning_rate import with_scaled_rates
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.plan.remedy import Remedy
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session import Session, fold

from .conftest import Propose

COMPILE = Remedy(name="compile", changes={"compile": True}, ceiling=1.5)
BATCH = Remedy(name="two passes a step", changes={"accumulate": 2}, costs=("recipe",), ceiling=1.4)


def rate(run: RunSpec) -> float:
    gain = 1.3 if run.workload.compile else 1.0
    gain *= 1.2 if run.workload.accumulate > 1 else 1.0
    gain *= 1.5 if run.mode == "fsdp" else 1.0
    return 1000 * gain * (1 + 0.002 * random.Random(run.id).random())


def only_best(session: Session) -> RunSpec:
    """The run that the file's plan has on the machine of the session."""
    preset = read_preset(settings_file(session), "found.toml")
    (run,) = make_plan("found", preset, session.host).runs
    return run


def test_it_is_a_preset_of_the_run_with_the_changes_each_under_its_gain(propose: Propose) -> None:
    propose([COMPILE, BATCH])
    session = fold(
        gone_on(opened(allow=["recipe"]), lambda run: rate(run) if run.workload.batch == 64 else 1.0)
    )
    text = settings_file(session)
    lines = text.splitlines()
    at = lines.index("compile = true")
    assert lines[at - 1].startswith("# compile against too little work per step: 1.30x (95%: 1.")
    assert lines[at - 1].endswith("false before.")
    assert lines[lines.index("accumulate = 2") - 1].startswith("# two passes a step against")
    assert "1.56x (95%: " in text and "by 2 of 2 changes" in text.replace("\n# ", " ")
    best = session.runs["a02-with-r1"].spec
    assert only_best(session).workloads == best.workloads
    assert (only_best(session).mode, only_best(session).device_count) == ("single", 1)


def test_a_key_that_was_changed_twice_has_both_gains(propose: Propose) -> None:
    twice, more = (Remedy(name=f"over {n} passes", changes={"accumulate": n}, ceiling=n) for n in (2, 4))

    def doubling(run: RunSpec) -> float:
        return rate(run) * (1.5 if run.workload.accumulate == 4 else 1.0)

    propose([twice])
    begun = gone_on(opened(), doubling, runs=9)
    propose([more])
    session = fold(gone_on(begun, doubling))
    text = settings_file(session)
    lines = text.splitlines()
    at = lines.index("accumulate = 4")
    assert lines[at - 2].startswith("# over 2 passes against") and lines[at - 2].endswith("; 1 before.")
    assert lines[at - 1].startswith("# over 4 passes against") and lines[at - 1].endswith("; 2 before.")
    assert analyse(session).headline.endswith("by 2 of 2 changes: over 4 passes")


def test_settings_that_are_not_the_defaults_are_kept_and_read_back(propose: Propose) -> None:
    propose([COMPILE])
    workload = Workload(
        name='a "quoted" name',
        model="cnn",
        images=5000,
        batch=48,
        optimizer="adamw",
        learning_rate=0.003,
        learning_rate_batch=96,
        milestones=(3, 5),
        augment=("flip",),
        clip_gradients=1.5,
    )
    run = with_scaled_rates(spec("01-ddp", "ddp", 2, workloads=[workload], measure=Measure(target=0.02)))
    session = fold(gone_on(opened(run=run), rate))
    found = only_best(session)
    assert found.workloads == session.runs["a01-with-r1"].spec.workloads
    assert (found.mode, found.device_count, found.measure.target) == ("ddp", 2, 0.02)


def test_text_of_every_kind_is_read_back(propose: Propose, tmp_path: Path) -> None:
    odd = "a \"b\" 'c' \\ \n\t\x1b[2J\x7f \u2028 \u65e5 \U0001f600 # = ]"
    file = tmp_path / "odd 'name' #.py"
    functions = ("build_model(**arguments)", "loss(model, batch)", "batches(rank, world_size, batch, device)")
    file.write_text("".join(f"def {function}: ...\n" for function in functions))
    workload = Workload(name=odd, model="", training=str(file), batch=64, arguments={odd: odd, "n": [1e300]})
    propose([Remedy(name=odd, changes={"arguments.deep.er": {odd: [odd, {}]}, "compile": True}, ceiling=1.4)])
    session = fold(gone_on(opened(run=spec("01", "single", workloads=[workload])), rate))
    found = only_best(session).workloads
    assert found == session.runs["a01-with-r1"].spec.workloads != session.runs["01"].spec.workloads


def test_a_learning_rate_for_another_batch_is_not_scaled_twice(propose: Propose) -> None:
    propose([BATCH])
    workload = Workload(
        name="cnn", model="cnn", images=5000, batch=48, learning_rate=0.1, learning_rate_batch=64
    )
    run = with_scaled_rates(spec("01-single", "single", workloads=[workload]))
    session = fold(
        gone_on(opened(run=run, allow=["recipe"]), lambda run: rate(run) if run.workload.batch == 48 else 1.0)
    )
    assert only_best(session).workload.learning_rate == pytest.approx(0.1 * 96 / 64)
    assert "learning_rate_batch = 64" in settings_file(session)


def test_a_change_of_the_mode_is_in_the_matrix(propose: Propose) -> None:
    propose([Remedy(name="fsdp", changes={"mode": "fsdp"}, ceiling=2.0)])
    workload = Workload(name="cnn", model="cnn", images=5000, batch=64)
    run = spec("01-ddp", "ddp", 2, workloads=[workload])
    session = fold(gone_on(opened(run=run), rate))
    lines = settings_file(session).splitlines()
    assert lines[-2:] == ['modes = ["fsdp"]', "devices = [2]"]
    assert lines[-3].endswith('"ddp" before.')
    assert only_best(session).mode == "fsdp"


def test_without_a_gain_it_holds_the_start_and_says_so(propose: Propose) -> None:
    propose([COMPILE])
    session = fold(gone_on(opened(), lambda run: 1000.0))
    text = settings_file(session)
    assert "Nothing was kept: none of 1 change helped." in text.replace("\n# ", " ")
    assert only_best(session).workloads == session.runs["01-single-1x64-cnn"].spec.workloads


def test_a_tune_that_was_stopped_says_what_is_not_known(propose: Propose) -> None:
    propose([COMPILE, BATCH])
    session = ended(gone_on(opened(), rate, runs=10), "stopped")
    text = settings_file(session).replace("\n# ", " ")
    assert "1 of 1 change kept, not measured anew together against the start." in text
    assert "compile = true" in text


def test_no_other_session_has_one(propose: Propose) -> None:
    def failing(run: RunSpec) -> float:
        raise out_of_memory(64)

    for session in (Session("other"), fold(opened()), fold(gone_on(opened(), failing))):
        with pytest.raises(ValueError, match="holds no settings that a tune found"):
            settings_file(session)
