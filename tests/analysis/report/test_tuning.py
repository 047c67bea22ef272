"""Tunes in reports, terminals and JSON."""

from __future__ import annotations

import random

import pytest
from building.sessions import measured, opening, session, spec
from building.tunes import SETTLED, gone_on, opened, out_of_memory, too_little_work
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.diagnosis.case import Diagnosis
from gpubench_tui.engine.analysis.export import json
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.analysis.report.terminal import session_text
from gpubench_tui.engine.analysis.report.tuning import tuning_text
from gpubench_tui.engine.analysis.tuning import options
from gpubench_tui.engine.analysis.tuning.tuning import Tuning
from gpubench_tui.engine.analysis.tuning.words import estimate_in_words
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.remedy import Remedy
from gpubench_tui.engine.record.events import Steps, Window
from gpubench_tui.engine.record.session import Session, fold
from gpubench_tui.engine.statistics import Estimate
from gpubench_tui.engine.text.encoding import decode_json
from msgspec import convert
from msgspec.structs import replace

REMEDIES = (
    Remedy(name="compile", changes={"compile": True}, ceiling=1.5),
    Remedy(name="channels | last", changes={"channels_last": True}, ceiling=1.3),
    Remedy(name="bf16", changes={"precision": "bf16"}, costs=("numerics",), ceiling=2.0),
)


def rate(run: RunSpec) -> float:
    if run.workload.batch > 300:
        raise out_of_memory(run.workload.batch)
    gain = (1.3 if run.workload.compile else 1.0) * (1 + run.workload.batch / 300)
    return 1000 * gain * (1 + 0.002 * random.Random(run.id).random())


@pytest.fixture
def tune(monkeypatch: pytest.MonkeyPatch) -> Session:
    diagnosis = too_little_work(*REMEDIES)
    monkeypatch.setattr(options, "diagnoses_of", lambda session, configuration: (diagnosis,))
    return fold(gone_on(opened(allow=["recipe"]), rate))


def test_the_report_shows_what_was_tried_and_why_it_was_not_kept(tune: Session) -> None:
    text = markdown(analyse(tune))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    compiled, nhwc, batch, bf16 = ([cell.strip() for cell in row.split(" | ")] for row in rows[2:6])
    assert compiled[:4] == ["|   1", "compile", "kept", "1.30x"]
    assert nhwc[1:4] == ["channels \\| last", "refused", "1.00x"] and nhwc[-1].startswith("no gain")
    assert batch[1:3] == ["batch 288", "kept"]
    assert bf16[2] == "not tried" and "it changes the numerics, which is not allowed" in bf16[-1]
    assert "Settings found: `compile = true`, `batch = 288`." in text
    assert "- batch 512: does not fit: CUDA ran out of memory at batch 512" in text
    assert "- largest batch that fits: 288; the search ended: batch 320 does not fit" in text
    results = text[text.index("## Results") : text.index("## 95% confidence")]
    assert sum(line.startswith("| single") for line in results.splitlines()) == 3, (
        "tries are not listed there"
    )


@pytest.mark.parametrize("width", [40, 72, 80, 120])
def test_it_fits_a_terminal(tune: Session, width: int) -> None:
    lines = tuning_text(tune, width)
    assert max(map(len, lines)) <= width
    for word in ("compile", "kept", "refused", "1.30x", "bf16", "not tried"):
        assert any(word in line for line in lines), word
    assert "\n".join(lines) in session_text(analyse(tune), width)


def test_json_holds_all_of_it(tune: Session) -> None:
    document = decode_json(json(analyse(tune)).encode(), dict)
    found = convert(document["tune"], Tuning)
    assert found.kept == {"compile": True, "batch": 288} and found.batch is not None
    assert document["trial"] is None and document["headline"].endswith("compile and batch 288")


def test_other_sessions_have_no_such_section() -> None:
    other = session(opening(spec("a", "single")), measured("a", [[1.0] * 5]))
    assert tuning_text(other, 80) == [] and "## Tune" not in markdown(analyse(other))
    assert decode_json(json(analyse(other)).encode(), dict)["tune"] is None


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (None, "not measured"),
        (Estimate(1.3, None, 1), "1.30x"),
        (Estimate(1.21, (1.18, 1.24), 6), "1.21x (95%: 1.18x to 1.24x)"),
        (Estimate(4.33, (1e-8, 4e8), 2), "4.33x (95%: too wide yet)"),
    ],
)
def test_gains_in_words(gain: Estimate | None, said: str) -> None:
    assert estimate_in_words(gain) == said


def test_a_total_from_runs_that_went_wrong_is_not_credible(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a run of the confirmation, not of an attempt."""
    diagnosis = Diagnosis(
        name="x", severity="warning", sentence="", evidence=(), advice="", remedies=REMEDIES[:1], runs=()
    )
    monkeypatch.setattr(options, "diagnoses_of", lambda session, configuration: (diagnosis,))
    events = gone_on(opened(workload=replace(SETTLED, compile=False)), rate)
    assert analyse(fold(events)).headline.endswith("by 1 of 1 change: compile")
    for run, doubted in (
        ("a01-without-r1", False),
        ("a02-with-r1", True),
    ):  # of an attempt, of the confirmation
        started = next(
            place for place, event in enumerate(events) if isinstance(event, Window) and event.run == run
        )
        broken = Steps(
            at=events[started].at,
            run=run,
            rank=0,
            first=3,
            seconds=[0.1],
            loss=[None],
            samples=[64],
            learning_rate=[0.1],
        )
        headline = analyse(fold([*events[:started], broken, *events[started:]])).headline
        assert ("not credible" in headline) is doubted


def test_where_nothing_helped_the_start_says_whether_that_is_credible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(options, "diagnoses_of", lambda session, configuration: ())
    events = gone_on(opened(workload=SETTLED), rate)
    broken = Steps(
        at=5.0,
        run="01-single-1x64-cnn",
        rank=0,
        first=3,
        seconds=[0.1],
        loss=[None],
        samples=[64],
        learning_rate=[0.1],
    )
    headline = analyse(fold(events)).headline
    assert headline.startswith("Nothing was tried: no remedy is left; 1 remedy was left out")
    broken_one = analyse(fold([*events[:-1], broken, events[-1]])).headline
    assert broken_one.startswith(f"{headline}; not credible: ")
