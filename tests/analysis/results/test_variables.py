"""What the values of a variable under test bring, and the same wherever results are shown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from building.recorded import host
from building.sessions import compare_pair, measured
from gpubench_tui.engine.analysis.analysis import Analysis, analyse
from gpubench_tui.engine.analysis.export import FORMATS, render
from gpubench_tui.engine.analysis.report.columns import cell, remarks, result_columns
from gpubench_tui.engine.analysis.report.line import result_line
from gpubench_tui.engine.analysis.report.terminal import session_text
from gpubench_tui.engine.analysis.results.variables import held_against
from gpubench_tui.engine.plan.expand import make_plan
from gpubench_tui.engine.plan.plan import Plan
from gpubench_tui.engine.plan.preset.read import read_preset
from gpubench_tui.engine.record.events import Event, RunFinished, SessionFinished, SessionStarted
from gpubench_tui.engine.record.session import Session, fold
from gpubench_tui.tui.render.monitor.plan import plan_list
from gpubench_tui.tui.render.results_table import results_remarks
from msgspec.structs import replace

STEADY = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98]
Settings = dict[str, str | int | float | bool]


def plan(vary: str, matrix: str = "", workload: str = "", model: str = "cnn") -> Plan:
    matrix = matrix or 'modes = ["single"]'
    text = (
        f'title = "t"\nquestion = "Which?"\n[workload]\nmodel = "{model}"\n{workload}\n[matrix]\n{matrix}\n'
    )
    return make_plan("test", read_preset(f"{text}[matrix.vary]\n{vary}\n", "test.toml"), host(0))


def recorded(
    made: Plan, rates: Mapping[str, float], settings: Mapping[str, Settings] | None = None, name: str = "s-1"
) -> Session:
    """The session in which each run was so many times as fast as the slowest, by its label."""
    events: list[Event] = [
        SessionStarted(at=0, session=name, program="0", unix_time=1.8e9, pid=1, host=host(0), plan=made)
    ]
    for spec in made.runs:
        if spec.skip is not None:
            events.append(RunFinished(at=0.0, run=spec.id, outcome="skipped", reason=spec.skip))
        elif spec.label in rates:
            seconds = [[each / rates[spec.label] for each in STEADY]] * spec.world_size
            chosen: Settings = {"threads": 1} | (settings or {}).get(spec.label, {})
            events += measured(spec.id, seconds, settings=chosen)
    return fold([*events, SessionFinished(at=60.0, outcome="finished")])


def precisions(rates: Sequence[float] = (1.0, 2.0)) -> Session:
    made = plan('precision = ["fp32", "tf32", "bf16"]')
    return recorded(
        made,
        {"single x1, fp32": rates[0], "single x1, bf16": rates[1]},
        {
            "single x1, fp32": {"precision": "fp32", "matmul_tf32": False},
            "single x1, bf16": {"precision": "bf16", "matmul_tf32": True},
        },
    )


def test_values_are_compared_with_an_interval_and_a_remark() -> None:
    analysis = analyse(precisions())
    fp32, tf32, bf16 = analysis.results
    (contrast,) = bf16.contrasts
    assert (contrast.key, contrast.value, contrast.against) == ("precision", "bf16", "fp32")
    assert contrast.ratio == pytest.approx(2.0) and contrast.interval is not None
    assert contrast.interval[0] < 2 < contrast.interval[1]
    assert contrast.remark == "numerics differ"
    assert fp32.contrasts == tf32.contrasts == ()
    assert bf16.speedup == pytest.approx(2.0)
    # A variable is no device: there is no efficiency, and 2x on one device is no fault.
    assert bf16.efficiency is None
    assert {each.name for each in analysis.diagnoses}.isdisjoint({"super-linear", "not comparable"})


def test_the_monitors_plan_gives_the_gain_of_a_run_that_is_its_own_baseline() -> None:
    made = plan('precision = ["fp32", "bf16"]', 'modes = ["single", "ddp"]\ndevices = [2]')
    rates = {"single x1, fp32": 1.0, "single x1, bf16": 2.0, "ddp x2, fp32": 1.0, "ddp x2, bf16": 1.5}
    kept = {label: {"precision": label[-4:]} for label in rates}
    state = recorded(made, rates, kept)
    ends = {line[2:17].strip(): line.split()[-2:] for line in plan_list(state, 78).plain.split("\n")}
    assert ends["single x1, bf16"] == ["2.00x", "fp32"]
    assert ends["single x1, fp32"][-1] == "1.00x", "nothing comes before it"
    assert ends["ddp x2, bf16"][-1] == "1.50x", "over one device with bf16"
    shorter = plan_list(state, 36).plain.split("\n")[1]
    assert shorter.endswith("2.00x") and len(shorter) <= 36


def test_the_value_is_named_wherever_results_are_shown() -> None:
    analysis = analyse(precisions())
    said = "bf16 against fp32: 2.00x (95%: 1."
    assert analysis.headline.startswith(said) and "; numerics differ" in analysis.headline
    assert result_line(analysis).startswith(f"cnn bf16, 1 CPU share: 1,280 samples/s; Which? {said}")
    assert " ".join(session_text(analysis, 100).split()).count(said) == 1  # as the headline alone
    assert any(said in text for text in remarks(analysis.results[2]))
    assert any("the numerics change with precision" in text for text in remarks(analysis.results[2]))
    markdown = render(analysis, "md")
    assert f"**{said}" in markdown and markdown.count(said) == 1 and "| precision |" in markdown
    picture = render(analysis, "svg")
    assert "bf16" in picture and picture.count(f": {said}") == 0
    page = results_remarks(analysis.results, Path("/sessions/s-1"), 200, analysis.headline).plain
    assert said not in page and "the numerics change with precision" in page
    document = json.loads(render(analysis, "json"))
    assert [each["varied"] for each in document["results"]] == [
        {"precision": value} for value in ("fp32", "tf32", "bf16")
    ]
    assert document["results"][2]["contrasts"][0]["ratio"] == pytest.approx(2.0)
    rows = list(csv.DictReader(io.StringIO(render(analysis, "csv"))))
    assert [row["precision"] for row in rows] == ["fp32", "tf32", "bf16"]
    assert [row["precision_against"] for row in rows] == ["", "", "fp32"]
    assert float(rows[2]["precision_ratio"]) == pytest.approx(2.0)
    assert float(rows[2]["precision_ratio_low"]) < 2 < float(rows[2]["precision_ratio_high"])


def table(analysis: Analysis) -> list[list[str]]:
    columns = result_columns(analysis.results)
    rows = [[cell(column, result) for column in columns] for result in analysis.results]
    return [[column.title for column in columns], *rows]


def test_the_table_has_a_column_for_each_variable_also_where_runs_were_skipped() -> None:
    titles, *rows = table(analyse(precisions()))
    assert titles[:4] == ["mode", "precision", "devices", "batch"] and "efficiency" not in titles
    assert [row[1] for row in rows] == ["fp32", "tf32", "bf16"]
    made = plan('compile = [false, true]\nplacement = ["device"]', 'modes = ["single", "ddp"]\ndevices = [2]')
    titles, *rows = table(analyse(recorded(made, {spec.label: 1.0 for spec in made.runs})))
    # One value tells no runs apart.
    assert titles[:3] == ["mode", "compile", "devices"] and "efficiency" in titles
    assert [row[1] for row in rows] == ["false", "true"] * 2


@pytest.mark.parametrize(
    ("vary", "rates", "beginning"),
    [
        (
            "channels_last = [false, true]",
            (1, 1),
            "channels_last makes no measurable difference: 1.",
        ),
        ("channels_last = [true, false]", (1, 1), "No measurable difference without channels_last: 1."),
        ("seed = [1, 2]", (1, 1), "No measurable difference between seed 2 and seed 1: 1."),
        ("channels_last = [false, true]", (2, 1), "channels_last against no channels_last: 0.50x (95%: "),
        ("seed = [1, 2, 3, 4, 5]", (1, 1.2, 1.9, 0.5, 3), "seed 3 against seed 1: 1.90x"),
        ('model = ["cnn", "lenet"]', (1, 3), "lenet against cnn: 3.00x (95%: "),
    ],
)
def test_the_headline_gives_what_changes_most(vary: str, rates: Sequence[float], beginning: str) -> None:
    made = plan(vary)
    labels = [spec.label for spec in made.runs]
    headline = analyse(recorded(made, dict(zip(labels, rates, strict=True)))).headline
    assert headline.startswith(beginning)
    assert headline.endswith("; 1 more in the table") == (len(rates) == 5)
    assert ("another training" in headline) == vary.startswith("model")


def test_an_interval_that_is_too_wide_shows_no_equality() -> None:
    narrow, wide = (0.9, 1.2), (0.3, 9.0)
    assert held_against("bf16", "fp32", 1.01, narrow).startswith("no measurable difference between bf16 and")
    assert held_against("bf16", "fp32", 0.68, wide) == (
        "not clear yet whether bf16 or fp32 is faster: 0.68x (95%: 0.30x to 9.00x)"
    )
    assert held_against("compile", "no compile", 1.01, narrow).startswith("compile makes no measurable diff")


def test_the_headline_gives_memory_too_where_a_variable_trades_speed_for_it() -> None:
    made = plan('checkpoint_activations = ["none", "every"]', model="vit-tiny")
    kept, anew = made.runs
    session = recorded(made, {kept.label: 2.0, anew.label: 1.0})
    for run, gib in ((session.runs[kept.id], 4), (session.runs[anew.id], 3)):
        run.ranks[0].measured = replace(run.ranks[0].measured, peak_memory_bytes=[gib << 30])
    headline = analyse(session).headline
    assert ": 0.50x (95%: " in headline
    assert headline.endswith("), with 25.0% less memory (3.00 against 4.00 GiB a device)")


def test_several_variables_have_their_combination_and_each_its_range() -> None:
    made = plan('precision = ["fp32", "bf16"]\ncompile = [false, true]')
    rates = dict(zip((spec.label for spec in made.runs), (1.0, 1.5, 2.0, 4.0), strict=True))
    headline = analyse(recorded(made, rates)).headline
    assert headline.startswith("bf16, compile against fp32, no compile: 4.00x (95%: ")
    assert "; compile against no compile: 1.50x to 2.00x" in headline
    assert "; bf16 against fp32: 2.00x to 2.67x; numerics differ" in headline


def test_with_several_modes_devices_are_compared_at_equal_values_and_values_on_the_most_devices() -> None:
    made = plan("compile = [false, true]", 'modes = ["single", "ddp"]\ndevices = [2]')
    rates = dict(zip((spec.label for spec in made.runs), (1.0, 2.0, 0.9, 1.6), strict=True))
    analysis = analyse(recorded(made, rates))
    ddp = analysis.results[3]
    assert ddp.speedup == pytest.approx(1.6) and ddp.efficiency == pytest.approx(0.8)
    assert analysis.headline.startswith("With DDP on 2 devices, compile against no compile: 1.78x (95%: ")


def test_repeats_are_compared_in_their_own_turn() -> None:
    made = plan("compile = [false, true]", workload="[measure]\nrepeats = 3")
    # The machine slows down, and both values with it.
    rates = {spec.label: (2 if spec.varied["compile"] else 1) / spec.repeat for spec in made.runs}
    (contrast,) = analyse(recorded(made, rates)).results[1].contrasts
    assert contrast.ratio == pytest.approx(2.0) and contrast.interval is not None
    assert contrast.interval[1] - contrast.interval[0] < 0.01


def test_what_differs_without_being_declared_is_not_comparable() -> None:
    settings: dict[str, Settings] = {"single x1, bf16": {"threads": 2}}
    rates = {"single x1, fp32": 1.0, "single x1, bf16": 2.0}
    analysis = analyse(recorded(plan('precision = ["fp32", "bf16"]'), rates, settings))
    bf16 = analysis.results[1]
    assert bf16.contrasts == () and bf16.speedup is None
    assert any("threads: 2 against 1" in text for text in remarks(bf16))
    named = "[workloads.half]\nprecision = 'bf16'\n[workloads.full]"
    matrix = "modes = ['single']\nbaseline = { mode = 'single', workload = 'full' }"
    apart = plan("seed = [1]", matrix, named)
    found = analyse(recorded(apart, {spec.label: 1.0 for spec in apart.runs}))
    (warning,) = (each for each in found.diagnoses if each.name == "not comparable")
    assert "gpubench-tui run PRESET --vary precision=A,B, or [matrix.vary]" in warning.advice
    assert found.results[0].speedup is None


def test_a_batch_beside_another_is_another_recipe() -> None:
    made = plan("batch = [8, 16]", 'modes = ["single"]\nbaseline = { mode = "single", batch = 8 }')
    results = analyse(recorded(made, {spec.label: 1.0 for spec in made.runs})).results
    said = [any("the recipe changes with batch" in text for text in remarks(each)) for each in results]
    assert said == [False, True]


def test_sessions_are_matched_by_the_values_of_what_either_varies() -> None:
    rates = {f"single x1, {value}": rate for value, rate in (("fp32", 1.0), ("bf16", 2.0))}
    a = recorded(plan('precision = ["fp32", "bf16"]'), rates)
    b = recorded(plan('precision = ["bf16", "fp32"]'), rates, name="s-2")
    for change in compare_pair(a, b).changes:
        assert change.ratio == pytest.approx(1.0) and change.differences == ()
    fixed = recorded(
        plan("seed = [0]", workload="precision = 'bf16'"), {"single x1, seed 0": 2.0}, name="s-3"
    )
    (change,) = compare_pair(a, fixed).changes
    assert (change.label, change.ratio) == ("single x1, bf16", pytest.approx(1.0))
    other = recorded(plan('precision = ["fp16"]'), {"single x1, fp16": 1.0}, name="s-4")
    assert compare_pair(a, other).only_b == ("single x1, fp16",)


def test_the_answer_to_another_question_is_followed_by_what_the_variable_brings() -> None:
    matrix = 'modes = ["single", "ddp"]\ndevices = [2]'
    made = replace(plan("compile = [false, true]", matrix), answer="worth")
    rates = dict(zip((spec.label for spec in made.runs), (1.0, 2.0, 0.95, 1.9), strict=True))
    analysis = analyse(recorded(made, rates))
    assert analysis.headline.startswith("Yes: 1.90x for 2 devices (95%) with no compile, ")
    assert "; with DDP on 2 devices, compile against no compile: 2.00x (95%: " in analysis.headline


@pytest.mark.parametrize(
    "hostile",
    [
        {"varied": {"nosuch": [{}], "precision": {"a": [1]}}},
        {"controls": {"precision": "gone", "": "01"}},
        {"varied": {}},
        {"varied": {"precision": None, "arguments.x.y": "=1+1\n"}},
    ],
)
def test_a_journal_with_other_values_than_a_plan_can_have_is_read(hostile: dict[str, Any]) -> None:
    made = plan('precision = ["fp32", "bf16"]')
    odd = replace(made, runs=(made.runs[0], replace(made.runs[1], **hostile)))
    analysis = analyse(recorded(odd, {spec.label: 1.0 for spec in odd.runs}))
    for form in FORMATS:
        assert render(analysis, form)
    assert session_text(analysis, 80) and result_line(analysis)
