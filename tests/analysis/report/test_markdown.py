"""The report in Markdown."""

import re

import pytest
from building.demo import EVENTS, SPECS
from building.sessions import (
    evaluations,
    measured,
    opening,
    session,
    spec,
)
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.export import render
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.analysis.report.terminal import terminal_report
from gpubench_tui.engine.analysis.trained import trained
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.plan.preset.preset import Measure
from gpubench_tui.engine.record.events import Event, RunFinished, SessionFinished, SessionStarted
from gpubench_tui.engine.record.session import Session, fold
from msgspec.structs import replace


@pytest.fixture(scope="module")
def demo() -> Session:
    return session(EVENTS)


def section(report: str, title: str) -> str:
    return report.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0]


def table_rows(text: str) -> list[list[str]]:
    """Cells of the Markdown tables in a text, as GitHub splits them."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_report_opens_with_the_question_and_its_answer(demo: Session) -> None:
    report = markdown(analyse(demo))
    what = trained(demo.plan)
    assert report.startswith(
        f"# A demo\n\n{what}\n\n> Is it fast?\n\n**cnn: ddp on 2 devices is 1.89x as fast as single"
    )
    assert "Measured on bench: 2 CPU shares (core 0 | core 1), Some CPU, torch 2.13.0." in report
    assert "Session `demo-1`, preset `demo`, 2023-11-1" in report
    assert report.endswith("\n")
    assert not report.endswith("\n\n")


def test_the_speedup_table_has_every_run_of_the_plan(demo: Session) -> None:
    titles, _, *rows = table_rows(section(markdown(analyse(demo)), "Results"))
    cells = [dict(zip(titles, row, strict=True)) for row in rows]
    assert [row["mode"] for row in cells] == ["single", "ddp", "dp", "single", "ddp", "concurrent"]
    assert cells[1] == {
        "workload": "cnn",
        "mode": "ddp",
        "devices": "2",
        "batch": "256",
        "samples/s": "1,208 ±17",
        "per device": "604",
        "step, ms": "212",
        "speedup": "1.89x",
        "95% interval": "1.75x to 1.98x",
        "efficiency": "94.3%",
        "peak, GiB": "2.00",
        "gain": "",
        "accuracy": "35.0%",
    }
    assert [row["samples/s"] for row in cells[2:]] == ["skipped", "320 ±0", "failed", "see below"]
    assert cells[5]["speedup"] == "n/a", "side by side is no speedup"
    assert cells[5]["gain"] == "1.36x"


def test_every_table_of_the_report_is_well_formed(demo: Session) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", markdown(analyse(demo)), flags=re.MULTILINE):
        rows = table_rows(block)
        assert len({len(row) for row in rows}) == 1
        assert all(re.fullmatch(r":?-+:?", cell) for cell in rows[1])
        assert len({len(line) for line in block.splitlines()}) == 1, "aligned in its source too"


def test_what_was_not_measured_is_there_with_its_reason(demo: Session) -> None:
    said = section(markdown(analyse(demo)), "Results")
    assert "- dp x2: skipped: DataParallel needs CUDA\n" in said
    log = "(log: logs/a.log in the session's folder)"
    assert f"- ddp x2: failed (raised on rank 1): CUDA said |no| and &lt;i>left&lt;/i> {log}\n" in said


def test_a_reason_does_not_repeat_the_state() -> None:
    stopped = RunFinished(at=1.0, run="01", outcome="stopped", reason="stopped by the user")
    lines = terminal_report(analyse(session(opening(SPECS[0]), [stopped])), 80).splitlines()
    assert "single x1: stopped by the user" in lines


def test_side_by_side_has_its_gain_and_no_speedup(demo: Session) -> None:
    lines = section(markdown(analyse(demo)), "Side by side: concurrent x2")
    assert "cnn on core 0: 582 ±0 samples/s, 3 windows, 90.9% of its 640 alone" in lines
    assert "concurrency gain 1.36x of at most 2x" in lines
    assert "speedup" not in lines


def test_epochs_with_the_best_and_the_last(demo: Session) -> None:
    text = section(markdown(analyse(demo)), "Epochs: single x1")
    _, _, *rows = table_rows(text)
    assert rows[0] == ["1", "1.0000", "30.0%", "1.2500", "30.0%", "3.00 s"]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert "Best test accuracy: 50.0%, after epoch 2." in text
    assert "Training time: 3.00 s per epoch on average, 9.00 s in total." in text


def test_without_accuracy_the_loss_is_what_was_learnt() -> None:
    doubled = spec("02", "ddp", 2, baseline="01")
    folded = session(
        opening(spec("01", "single"), doubled),
        measured("01", [[1.0, 1.0]]) + evaluations("01", 0, [None]),
        measured("02", [[1.0, 1.0]] * 2) + evaluations("02", 0, [None]),
    )
    text = markdown(analyse(folded))
    titles, _, *rows = table_rows(section(text, "Results"))
    assert titles[-1] == "test loss" and [row[-1] for row in rows] == ["1.25", "1.25"]
    titles, *_ = table_rows(section(text, "Epochs: single x1"))
    assert titles == ["epoch", "train loss", "test loss", "training time"]
    assert "so that their losses are not comparable" in text


def test_hundreds_of_epochs_are_shown_in_steps_with_the_first_and_the_last() -> None:
    folded = session(
        opening(SPECS[0]), measured("01", [[1.0, 1.0]]), evaluations("01", 0, [i / 350 for i in range(350)])
    )
    _, _, *rows = table_rows(section(markdown(analyse(folded)), "Epochs: single x1"))
    shown = [int(row[0]) for row in rows]
    assert shown[0] == 1
    assert shown[-1] == 350
    assert len(shown) <= 32


def test_where_and_how_it_was_measured(demo: Session) -> None:
    report = markdown(analyse(demo))
    rows = dict(table_rows(section(report, "Environment"))[2:])
    assert (rows["torch"], rows["Python"], rows["memory"]) == ("2.13.0", "3.11.9", "8.00 GiB")
    assert dict(table_rows(section(report, "Rank settings"))[2:]) == {"threads": "1"}
    method = section(report, "Method")
    assert "slowest rank's seconds" in method
    assert "an equal share of the CPU cores, here 2 CPU shares (core 0 | core 1)" in method
    assert "half the 95% interval of throughput was within 1.0%, or 30.0 s had been measured" in method
    said = section(report, "Warnings")
    assert "warning: GPU 3 was lost" in said
    assert "NVML was not found" in said
    assert "nothing to see" not in said


def test_settings_that_differ_are_counted() -> None:
    folded = session(
        opening(*SPECS[:2]),
        measured("01", [[1.0, 1.0]], settings={"threads": 1, "compile": False}),
        measured("02", [[1.0, 1.0]] * 2, settings={"threads": 2, "compile": False}),
    )
    rows = dict(table_rows(section(markdown(analyse(folded)), "Rank settings"))[2:])
    assert rows == {"threads": "1 in 1 of 2 runs; 2 in 1 of 2 runs", "compile": "no"}


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ([], "or was interrupted"),
        ([SessionFinished(at=9.0, outcome="stopped")], "was stopped early"),
    ],
)
def test_a_session_without_its_end_says_so(ending: list[Event], words: str) -> None:
    assert words in markdown(analyse(fold([*EVENTS, *ending])))


@pytest.mark.slow
def test_whatever_a_journal_was_cut_to_there_is_a_report() -> None:
    for length in range(len(EVENTS) + 1):
        folded = fold(EVENTS[:length])
        for form in ("md", "json", "csv"):
            assert render(analyse(folded), form).endswith("\n")  # type: ignore[arg-type]
        assert terminal_report(analyse(folded), 80)


def test_the_epochs_presets_method_is_another() -> None:
    measure = Measure(epochs=5)
    folded = session(opening(spec("01", "single", measure=measure)), measured("01", [[1.0, 1.0]]))
    assert "windows of about 500 ms, for 5 epochs" in markdown(analyse(folded))


def test_learning_curves_are_drawn() -> None:
    folded = session(
        opening(SPECS[0]), measured("01", [[1.0, 1.0]]), evaluations("01", 0, [0.1, 0.3, 0.4, 0.5])
    )
    text = section(markdown(analyse(folded)), "Epochs: single x1")
    drawn = text.split("Accuracy over epochs")[1].split("```")[1].splitlines()
    assert drawn[1].lstrip().startswith("50.0% |")
    assert drawn[1].endswith("o"), "the best is the last"
    assert drawn[-1].split() == ["1", "4"]


def test_every_fenced_block_is_closed_and_fits_a_terminal(demo: Session) -> None:
    text = markdown(analyse(demo))
    assert text.count("```") % 2 == 0
    for block in text.split("```")[1::2]:
        assert max(map(len, block.splitlines())) <= 100


@pytest.mark.parametrize(("cores", "said"), [((0, 1), True), ((), False)])
def test_that_ranks_stayed_near_their_gpus_is_said(cores: tuple[int, ...], said: bool) -> None:
    gpu = Device(kind="cuda", index=0, name="NVIDIA H200", cores=cores)
    begun, *rest = opening(spec("01", "single", on=[gpu]))
    assert isinstance(begun, SessionStarted)
    begun = replace(begun, plan=replace(begun.plan, devices=(gpu,)))
    report = markdown(analyse(session([begun, *rest], measured("01", [[1.0, 1.0]]))))
    assert ("pinned to the CPU cores of the socket that its GPU" in report) is said
