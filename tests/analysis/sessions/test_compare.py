"""Two sessions side by side: verdicts, differences, formats and the exit status of the command."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from building.sessions import HOST, compare_pair, failed, measured, opening, session, spec, steps
from gpubench_tui.engine.analysis.sessions.change import Change
from gpubench_tui.engine.analysis.sessions.compare import SessionsComparison, compare_all
from gpubench_tui.engine.analysis.sessions.comparison_report import render_comparison
from gpubench_tui.engine.host.facts import CpuSample, Host
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, Sampled, SessionFinished, SessionStarted
from gpubench_tui.engine.record.journal import Journal
from gpubench_tui.engine.record.session import Session
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli.main import main
from msgspec.structs import replace

STEADY = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98]
NOISY = [1.0, 1.3, 0.8, 1.1, 0.9, 1.25]
SINGLE, DDP = spec("single", "single"), spec("ddp", "ddp", 2)


def scaled(factor: float, seconds: Sequence[float] = STEADY) -> list[float]:
    return [factor * each for each in seconds]


def compared(a: Session, b: Session) -> dict[str, Change]:
    return {change.label: change for change in compare_pair(a, b).changes}


def one_run(seconds: Sequence[float], **of_run: dict[str, str | int | float | bool]) -> Session:
    return session(opening(SINGLE), measured("single", [seconds], **of_run))


@pytest.mark.parametrize(
    ("after", "verdict", "ratio"),
    [
        (scaled(0.9), "better", 1 / 0.9),
        (scaled(1.1), "worse", 1 / 1.1),
        (scaled(1.0), "no difference", 1.0),
        (scaled(1.1, NOISY), "no difference", None),
        (scaled(2.0)[:3], "too few windows", 0.5),
    ],
)
def test_a_verdict_is_what_the_interval_says(after: list[float], verdict: str, ratio: float | None) -> None:
    change = compared(one_run(STEADY), one_run(after))["single x1"]
    assert change.verdict == verdict
    if ratio is not None:
        assert change.ratio == pytest.approx(ratio)
    if verdict in ("better", "worse"):
        assert change.interval is not None
        assert change.interval[0] <= 1 / (after[0] / STEADY[0]) <= change.interval[1]


def test_runs_are_matched_by_what_they_are_and_not_by_their_ids() -> None:
    def at(run: str, batch: int) -> RunSpec:
        return spec(run, "single", workloads=[Workload(name="cnn", batch=batch)])

    a = session(opening(at("1", 64), at("2", 128)), measured("1", [STEADY]), measured("2", [scaled(2)]))
    b = session(opening(at("1", 128), at("2", 256), DDP), measured("1", [scaled(2)]), measured("2", [STEADY]))
    comparison = compare_pair(a, b)
    (change,) = comparison.changes
    assert (change.run_a, change.run_b, change.batch_per_device) == ("2", "1", 128)
    assert change.verdict == "no difference"
    assert (comparison.only_a, comparison.only_b) == (("single x1",), ("single x1", "ddp x2"))


def test_repeats_are_compared_by_their_own_scatter() -> None:
    (worse,) = compared(repeated(1.0, 1.01, 0.99), repeated(1.1, 1.12, 1.09)).values()
    assert worse.verdict == "worse"
    (noise,) = compared(repeated(1.0, 1.2, 0.9), repeated(1.1, 0.95, 1.25)).values()
    assert noise.verdict == "no difference"


def test_what_differs_is_named() -> None:
    a = one_run(STEADY, settings={"threads": 1, "torch": "2.12.0"})
    newer = replace(HOST, name="other", software=replace(HOST.software, torch="2.13.1"))
    changed = spec("single", "single", workloads=[Workload(name="cnn", precision="bf16")])
    after = measured("single", [STEADY], settings={"threads": 2, "torch": "2.12.0"})
    comparison = compare_pair(a, session(opening(changed, host=newer), after))
    assert {(item.what, item.b) for item in comparison.environment} == {
        ("host", "other"),
        ("torch", "2.13.1"),
    }
    assert comparison.changes[0].differences == ("precision: bf16 against fp32", "threads: 2 against 1")


def test_how_the_ranks_speak_is_under_test_within_a_session_and_not_between_two() -> None:
    a, b = (one_run(STEADY, settings={"backend": "nccl", "nccl": nccl}) for nccl in ("2.27.3", "2.28.0"))
    assert compare_pair(a, b).changes[0].differences == ("nccl: 2.28.0 against 2.27.3",)


def test_a_run_that_failed_has_no_figures_and_is_a_regression() -> None:
    change = compared(one_run(STEADY), session(opening(SINGLE), failed("single")))["single x1"]
    assert (change.verdict, change.b, change.ratio) == ("no figures", None, None)
    assert "failed in the other" in change.reason
    assert change.is_regression(50)
    back = compared(session(opening(SINGLE), failed("single")), one_run(STEADY))["single x1"]
    assert not back.is_regression(0)


@pytest.mark.parametrize(
    ("after", "percent", "regression"),
    [
        (scaled(1.1), 5, True),
        (scaled(1.1), 15, False),
        (scaled(1.3, NOISY), 5, False),
        (scaled(0.9), 0, False),
    ],
)
def test_a_regression_is_beyond_the_limit_and_beyond_the_noise(
    after: list[float], percent: float, regression: bool
) -> None:
    before = NOISY if after[1] / after[0] > 1.2 else STEADY
    change = compared(one_run(before), one_run(after))["single x1"]
    assert change.is_regression(percent) is regression


def named(name: str, session: Session) -> Session:
    session.name = name
    return session


def both() -> SessionsComparison:
    extra = spec("extra", "fsdp", 2)
    a = session(opening(SINGLE, DDP), measured("single", [STEADY]), measured("ddp", [STEADY, STEADY]))
    b = session(opening(SINGLE, DDP, extra), measured("single", [scaled(1.1)]), failed("ddp"))
    return compare_all(named("before", a), [named("after", b)])


def test_the_text_fits_its_width() -> None:
    text = render_comparison(both(), "text", 100)
    assert text.startswith("A is before, B is after.\n")
    assert max(map(len, text.splitlines())) <= 100
    row = next(line for line in text.splitlines() if line.startswith("single x1"))
    assert row.split()[2:5] == ["640", "582", "0.91x"]
    assert row.endswith("worse")
    assert "only in after: fsdp x2" in text
    assert "ddp x2: no figures: failed in the other" in text
    narrow = render_comparison(both(), "text", 40).splitlines()
    assert max(map(len, narrow)) <= 40
    row = next(line for line in narrow if line.startswith("single x1"))
    assert row.split()[2:] == ["0.91x", "worse"]
    row = next(line for line in render_comparison(both(), "text", 50).splitlines() if "single x1" in line)
    assert row.split()[3:] == ["0.86x", "to", "0.97x", "worse"], "the interval before the throughputs"


def several() -> SessionsComparison:
    faster, newer = scaled(0.8), replace(HOST, software=replace(HOST.software, torch="2.13.1"))
    a = session(opening(SINGLE, DDP), measured("single", [STEADY]), measured("ddp", [STEADY, STEADY]))
    b = session(opening(SINGLE, host=newer), measured("single", [scaled(1.1)]))
    c = session(
        opening(DDP, SINGLE, host=newer), measured("ddp", [faster, faster]), measured("single", [STEADY])
    )
    d = session(opening(spec("other", "fsdp", 2)), measured("other", [STEADY, STEADY]))
    others = [named("nightly-1", b), named("nightly-2", c), named("odd", d)]
    return compare_all(named("release", a), others)


def test_several_sessions_are_held_against_the_first() -> None:
    comparison = several()
    assert [row.label for row in comparison.rows] == ["single x1", "ddp x2"]
    verdicts = [[change and change.verdict for change in row.changes] for row in comparison.rows]
    assert verdicts == [["worse", "no difference", None], [None, "better", None]]
    text = render_comparison(comparison, "text", 160)
    assert text.startswith("A is release, B is nightly-1, C is nightly-2, D is odd.\n")
    single, ddp = (line for line in text.splitlines() if line.startswith(("single x1", "ddp x2")))
    assert "0.91x worse" in single and "1.00x" in single
    assert "1.25x better" in ddp
    assert "B, C: torch: 2.13.1 against 2.13.0" in text
    assert "D: no run in common with A" in text
    assert "only in release and not in nightly-1: ddp x2" in text
    narrow = render_comparison(comparison, "text", 60)
    assert max(map(len, narrow.splitlines())) <= 60
    assert "0.91x worse" in narrow and "95% interval of" not in narrow
    page = render_comparison(comparison, "md")
    assert page.startswith("# nightly-1, nightly-2, odd against release\n")
    data = json.loads(render_comparison(comparison, "json"))
    assert [each["b"] for each in data["sessions"]] == ["nightly-1", "nightly-2", "odd"]


def repeated(*factors: float) -> Session:
    specs = [spec(f"s-r{i}", "single", repeat_of=("s-r1", i)) for i, _ in enumerate(factors, 1)]
    runs = [measured(f"s-r{i}", [scaled(factor)]) for i, factor in enumerate(factors, 1)]
    return session(opening(*specs), *runs)


def test_all_repeats_count_however_many_either_session_has() -> None:
    (change,) = compared(repeated(1.0, 1.02), repeated(1.1, 1.12, 1.11, 1.4)).values()
    assert change.a is not None and change.b is not None
    assert change.ratio == pytest.approx(change.b / change.a)
    assert change.b == pytest.approx(640 / (1.1 * 1.12 * 1.11 * 1.4) ** 0.25)
    (one,) = compared(repeated(1.0), repeated(1.1, 1.11, 1.12)).values()
    assert one.verdict == "worse" and one.interval is not None
    (unsure,) = compared(repeated(1.0), repeated(1.0, 1.2)).values()
    assert unsure.verdict == "no difference"


CNN, VIT = Workload(name="cnn", batch=64), Workload(name="vit", batch=32)


def test_trainings_side_by_side_are_compared_one_by_one() -> None:
    beside = spec("both", "concurrent", 2, workloads=[CNN, VIT])
    a = session(opening(beside), measured("both", [STEADY, scaled(2.0)]))
    b = session(opening(beside), measured("both", [STEADY, scaled(2.5)]))
    changes = compared(a, b)
    assert {label: change.verdict for label, change in changes.items()} == {
        "concurrent x2: cnn (rank 0)": "no difference",
        "concurrent x2: vit (rank 1)": "worse",
    }
    vit = changes["concurrent x2: vit (rank 1)"]
    assert (vit.rank, vit.workload, vit.batch_per_device) == (1, "vit", 32)
    assert vit.ratio == pytest.approx(0.8)
    gone = compared(a, session(opening(beside), failed("both")))
    assert [change.verdict for change in gone.values()] == ["no figures"] * 2
    assert all(change.is_regression(5) for change in gone.values())


def test_equal_trainings_side_by_side_are_compared_together() -> None:
    beside = spec("both", "concurrent", 2, workloads=[CNN, CNN])
    a = session(opening(beside), measured("both", [STEADY, STEADY]))
    b = session(opening(beside), measured("both", [STEADY, scaled(1.5)]))
    (change,) = compared(a, b).values()
    assert (change.label, change.rank, change.verdict) == ("concurrent x2", None, "worse")


def test_markdown_and_json_say_the_same() -> None:
    comparison = both()
    page = render_comparison(comparison, "md")
    assert page.startswith("# after against before\n")
    assert "| single x1 |" in page
    assert "only in after: fsdp x2" in page
    data = json.loads(render_comparison(comparison, "json"))
    assert (data["schema"], data["version"]) == ("gpubench-tui/compare", 2)
    assert [change["verdict"] for change in data["sessions"][0]["changes"]] == ["worse", "no figures"]
    assert data["sessions"][0]["only_b"] == ["fsdp x2"]


def shelve(root: Path, name: str, host: Host, *parts: Iterable[Event]) -> None:
    events = [*(event for part in parts for event in part), SessionFinished(at=60.0, outcome="finished")]
    started = events[0]
    assert isinstance(started, SessionStarted)
    folder = Shelf(root).create(name, started.plan, host, "")
    journal = Journal(folder.journal)
    for event in (replace(started, session=folder.name), *events[1:]):
        journal.append(event)
    journal.close()


def burdened(percent: float) -> list[Event]:
    """Samples of other programs on the CPUs of the ranks while windows are measured."""
    cpu = CpuSample((50.0,) * 4, 1 << 30, 1 << 33, 150.0, 1 << 30, others_percent=percent)
    return [Sampled(at=half / 2, gpus=[], cpu=cpu) for half in range(20)]


def broken(run: str) -> Event:
    return replace(steps(run, 0, 0, [0.1] * 3), loss=[1.0, None, None])


def test_doubts_of_both_sides_stand_beside_the_verdict() -> None:
    a = session(opening(SINGLE), measured("single", [STEADY]), [broken("single")])
    b = session(opening(SINGLE), measured("single", [scaled(1.2)]), burdened(15.0))
    comparison = compare_all(named("before", a), [named("after", b)])
    (change,) = comparison.sessions[0].changes
    assert change.verdict == "worse"
    told = {(doubt.name, doubt.severity) for doubt in (*change.doubts_a, *change.doubts_b)}
    assert told == {("training diverged", "severe"), ("busy machine", "warning")}
    cell = "A: training diverged (severe); B: busy machine"
    wide = render_comparison(comparison, "text", 160)
    assert next(line for line in wide.splitlines() if "single x1" in line).endswith(f"worse     {cell}")
    assert cell in render_comparison(comparison, "md")
    for form in ("text", "md"):
        page = " ".join(render_comparison(comparison, form, 100).split())  # type: ignore[arg-type]
        assert "A: severe: training diverged: single x1: the loss is not finite from step 1 on" in page
        assert "B: warning: busy machine: single x1: other programs used 15.0% of its CPUs" in page
    (told_json,) = json.loads(render_comparison(comparison, "json"))["sessions"][0]["changes"]
    assert told_json["doubts_a"][0]["severity"] == "severe"
    assert told_json["doubts_b"][0]["name"] == "busy machine"


def test_severe_doubts_of_several_sessions_are_told_once_each() -> None:
    a = session(opening(SINGLE), measured("single", [STEADY]), [broken("single")])
    others = [session(opening(SINGLE), measured("single", [STEADY]), burdened(60.0)) for _ in range(2)]
    text = render_comparison(compare_all(a, others), "text", 200)
    assert [text.count(f"{side}: severe: ") for side in "ABC"] == [1, 1, 1]


@pytest.fixture
def shelf(tmp_path: Path) -> str:
    shelve(tmp_path, "before", HOST, opening(SINGLE), measured("single", [STEADY]))
    shelve(tmp_path, "after", HOST, opening(SINGLE), measured("single", [scaled(1.1)]))
    shelve(tmp_path, "other", HOST, opening(DDP), measured("ddp", [STEADY, STEADY]))
    return f"--sessions-dir={tmp_path}"


def test_the_command_prints_and_succeeds(shelf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "before", "after", shelf]) == 0
    assert "worse" in capsys.readouterr().out
    assert main(["compare", "before", "after", shelf, "--format=json"]) == 0
    assert json.loads(capsys.readouterr().out)["sessions"][0]["changes"][0]["verdict"] == "worse"


@pytest.mark.parametrize(
    ("a", "b", "limit", "status"),
    [("before", "after", "5", 1), ("before", "after", "20%", 0), ("after", "before", "0", 0)],
)
def test_the_exit_status_tells_a_regression(
    shelf: str, capsys: pytest.CaptureFixture[str], a: str, b: str, limit: str, status: int
) -> None:
    assert main(["compare", a, b, shelf, f"--fail-on-regression={limit}"]) == status
    assert ("single x1" in capsys.readouterr().err) == bool(status)


@pytest.mark.parametrize(
    ("burden_a", "burden_b", "factor", "why"),
    [
        (0.0, 30.0, 1.3, "B was measured on a busy machine"),
        (0.0, 12.0, 1.3, "B was measured on a busy machine"),
        (30.0, 0.0, 1.0, "A was measured on a busy machine"),
        (30.0, 30.0, 1.3, "A and B were measured on a busy machine"),
        (0.0, 3.0, 1.3, ""),
    ],
)
def test_a_busy_machine_raises_no_alarm(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    burden_a: float,
    burden_b: float,
    factor: float,
    why: str,
) -> None:
    shelve(tmp_path, "a", HOST, opening(SINGLE), measured("single", [STEADY]), burdened(burden_a))
    shelve(tmp_path, "b", HOST, opening(SINGLE), measured("single", [scaled(factor)]), burdened(burden_b))
    gate = ["compare", "a-", "b-", f"--sessions-dir={tmp_path}", "--fail-on-regression=5"]
    for strict, status in (([], 0 if why else 1), (["--strict"], 3 if why else 1)):
        assert main([*gate, *strict]) == status
        told = capsys.readouterr().err
        assert told.startswith(f"not judged: {why}: single x1 in b-" if why else "worse by more than 5%")


def test_a_load_before_a_session_of_an_older_version_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = replace(HOST, cpu=replace(HOST.cpu, load_average=9.0))
    shelve(tmp_path, "a", HOST, opening(SINGLE), measured("single", [STEADY]))
    shelve(tmp_path, "b", HOST, opening(SINGLE, host=loaded), measured("single", [scaled(1.3)]))
    assert main(["compare", "a-", "b-", f"--sessions-dir={tmp_path}", "--fail-on-regression=5"]) == 0
    assert "not judged: B was measured on a busy machine" in capsys.readouterr().err


def test_a_run_without_results_is_worse_on_a_busy_machine_too(tmp_path: Path) -> None:
    shelve(tmp_path, "a", HOST, opening(SINGLE), measured("single", [STEADY]))
    shelve(tmp_path, "b", HOST, opening(SINGLE), failed("single"), burdened(50.0))
    gate = ["compare", "a-", "b-", f"--sessions-dir={tmp_path}", "--fail-on-regression=5"]
    assert main([*gate, "--strict"]) == 1


def test_strict_is_about_regressions(shelf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "before", "after", shelf, "--strict"]) == 2
    assert "--fail-on-regression" in capsys.readouterr().err


def test_what_cannot_be_compared_is_said(shelf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "before", "other", shelf]) == 2
    assert "no run in common" in capsys.readouterr().err
    assert main(["compare", "before", "nothing", shelf]) == 2
    assert "nothing" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["compare", "before", "after", shelf, "--fail-on-regression=much"])
