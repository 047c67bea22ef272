"""`try` and `tune` as they are typed: what they would start, what they refuse, and the lines on a tune."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from building import recorded
from building.tunes import SETTLED, gone_on, opened, out_of_memory
from gpubench_tui.engine.conductor import same_machine
from gpubench_tui.engine.plan.plan import Plan, RunSpec
from gpubench_tui.engine.plan.remedy import ALLOWED_BY_DEFAULT, Tune
from gpubench_tui.engine.record.events import Event
from gpubench_tui.engine.record.session import Session
from gpubench_tui.engine.record.session_folder import SessionFolder
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli import progress
from gpubench_tui.tui.cli.main import main
from gpubench_tui.tui.cli.progress import ProgressLines


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SessionFolder:
    """A session on two GPUs, with diagnoses, of this machine and this version."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(same_machine, "inspect_host", lambda gpus: recorded.host(2))
    monkeypatch.setattr(same_machine, "program_version", lambda: "0.1.0")
    return recorded.shelve(tmp_path / "all", 2, name="monday")


Typed = Callable[..., Plan | str]
"""What a command would start, or what it says instead."""


@pytest.fixture
def typed(
    measured: SessionFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Typed:
    started: list[SessionFolder] = []

    def follow(folder: SessionFolder, start: object) -> int:
        started.append(folder)
        return 0

    monkeypatch.setattr(progress, "follow", follow)

    def _typed(*words: str) -> Plan | str:
        try:
            status = main([*words, "--anyway", "--headless", f"--sessions-dir={measured.path.parent}"])
        except SystemExit as ended:
            status = int(ended.code or 0)
        said = capsys.readouterr().err
        assert status in (0, 2)
        assert (status == 0) == bool(started), said
        return started.pop().request().plan if started else said

    return _typed


def test_try_takes_the_most_promising_remedy_or_the_one_that_is_named(
    typed: Typed, measured: SessionFolder
) -> None:
    plan = typed("try", "monday", "low", "mfu")
    assert isinstance(plan, Plan) and plan.trial is not None and plan.trial.session == measured.name
    assert plan.runs[0].attempt is not None and plan.runs[0].attempt.diagnosis == "low MFU in fp32"
    assert {spec.workload.precision for spec in plan.runs} == {"fp32", "bf16"}
    other = typed("try", "monday", "low MFU", "--remedy", "TF", "--run", "dp x2", "--name", "mine")
    assert isinstance(other, Plan)
    assert {(spec.mode, spec.workload.precision) for spec in other.runs} == {("dp", "fp32"), ("dp", "tf32")}
    assert Shelf(measured.path.parent).all()[0].stem == "mine"
    same = typed("try", "--remedy=TF", "monday", "--run=dp x2", "low", "--name=mine", "MFU")
    assert isinstance(same, Plan) and same.runs == other.runs
    unnamed = typed("try")
    assert isinstance(unnamed, str) and unnamed.endswith("arguments are required: SESSION\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], ["diagnoses with remedies: name one of them", "low MFU in fp32: bf16 (numerics; at most"]),
        (["slow inputs"], ["'slow inputs' is not a diagnosis of monday-", "choose from: "]),
        (["input-bound"], ["there is nothing to try on monday-", "input-bound: the data are on the device"]),
        (["low", "--remedy=fp8"], ["'fp8' is not a remedy of low MFU in fp32", "bf16"]),
        (["low", "--run=ddp x64"], ["'ddp x64' is not a run of low MFU in fp32 in monday-", "ddp x2"]),
        (["low", "--run=d"], ["several of low MFU in fp32 in monday-", "begin with 'd': dp x2, "]),
        (["low", "--notify=nowhere"], ["there is no command 'nowhere'"]),
    ],
    ids=" ".join,
)
def test_what_cannot_be_tried_is_one_sentence(words: list[str], said: list[str], typed: Typed) -> None:
    refused = typed("try", "monday", *words)
    assert isinstance(refused, str) and all(part in refused for part in said)


def test_a_session_of_another_machine_or_version_is_refused(
    typed: Typed, measured: SessionFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(same_machine, "program_version", lambda: "9")
    refused = typed("try", "monday", "low MFU")
    assert isinstance(refused, str) and "(gpubench-tui: 9 against 0.1.0)" in refused
    assert len(Shelf(measured.path.parent).all()) == 1


def test_tune_takes_the_bounds_and_the_run_that_are_typed(typed: Typed) -> None:
    plan = typed("tune", "quickstart")
    assert isinstance(plan, Plan)
    assert plan.tune == Tune(allow=ALLOWED_BY_DEFAULT) == Tune(allow=("memory",))
    assert len(plan.runs) == 1
    options = ["--minutes=2.5", "--allow=recipe,numerics", "--mode=single", "--set=workload.batch=16"]
    plan = typed("tune", "quickstart", *options)
    assert isinstance(plan, Plan) and plan.tune == Tune(allow=("numerics", "recipe"), minutes=2.5)
    assert plan.runs[0].mode == "single" and plan.runs[0].workload.batch == 16
    assert plan.changes == {"workload.batch": "16"}
    plan = typed("tune", "quickstart", "--allow=nothing")
    assert isinstance(plan, Plan) and plan.tune == Tune()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to tune: name a PRESET, or --resume SESSION"),
        (["quickstart", "--minutes=0"], "--minutes: '0' cannot be used: expected a number above 0, as in 10"),
        (["quickstart", "--allow=memmory"], "'memmory' is not a cost; did you mean memory?"),
        (["quickstart", "--allow="], "'' is not a cost"),
        (["quickstart", "--allow=nothing,memory"], "nothing stands alone"),
        (["quickstart", "--run=nightly"], "'nightly': there is no such run here; expected one of "),
        (["quickstart", "--mode=dp"], "quickstart has no run of mode dp here; it has runs of single"),
        (["quickstart", "--resume=monday"], "leave out PRESET, --set, --gpus, --allow, --run and --mode"),
        (["--resume=monday", "--allow=memory"], "leave out PRESET, --set"),
        (["--vary=precision=fp32,bf16", "quickstart"], "unrecognized arguments: --vary"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_tuned_is_one_sentence(words: list[str], said: str, typed: Typed) -> None:
    refused = typed("tune", *words)
    assert isinstance(refused, str) and said in refused


def test_only_a_tune_is_gone_on_with(typed: Typed, tmp_path: Path, measured: SessionFolder) -> None:
    recorded.shelve(measured.path.parent, 2, name="half", until=4.0)
    refused = typed("tune", "--resume=half")
    assert isinstance(refused, str) and "half-" in refused and "gpubench-tui run --resume half-" in refused


def told(events: list[Event]) -> list[str]:
    """The lines on a session without a terminal, without their times."""
    session, progress_lines = Session("tune"), ProgressLines()
    lines = []
    for event in events:
        session.apply(event)
        lines += [line.partition("] ")[2] or line for line in progress_lines.of_event(event, session)]
    return lines


def test_a_tune_is_told_attempt_by_attempt() -> None:
    def rate(run: RunSpec) -> float:
        if run.workload.batch > 256:
            raise out_of_memory(run.workload.batch)
        return 1000.0 * (run.workload.batch / 64) ** 0.5

    lines = told(gone_on(opened(allow=("recipe",), workload=SETTLED), rate))
    assert lines[0].startswith("1 run on ") and lines[0].endswith("(estimate)")
    assert "looking for the largest batch that fits" in lines
    assert "batch 128: 1,414 images/s" in lines or "batch 128: 1,414 samples/s" in lines
    (too_large,) = [line for line in lines if line.startswith("batch 512")]
    assert too_large == "batch 512 does not fit: CUDA ran out of memory at batch 512"
    assert any(line.startswith("largest batch that fits: 256; fastest: 256 (") for line in lines)
    begun = next(number for number, line in enumerate(lines) if line.startswith("trying batch 256 (recipe"))
    assert lines[begun + 1] == "batch 256: 2.00x after 1 pair"
    kept = next(number for number, line in enumerate(lines) if line.startswith("kept: batch 256: 2.00x"))
    assert lines[kept + 1] == "measuring all that was kept anew against the start"
    assert lines[kept + 2].startswith("all that was kept: 2.00x after 1 pair")
    assert not any("attempt 2, with it" in line for line in lines), "each run would be a line"
