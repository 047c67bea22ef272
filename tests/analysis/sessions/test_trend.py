"""The trend of a preset over sessions, and its formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from building.dated import DDP, SINGLE, dated, of_day, shelve_dated
from building.sessions import HOST, compare_pair, failed, session, spec
from gpubench_tui.engine.analysis.sessions.trend import Trend, TrendLine, find_trend, read_trend
from gpubench_tui.engine.analysis.sessions.trend_report import mark_letter, render_trend
from gpubench_tui.engine.host.facts import Gpu, Host
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session import Session
from gpubench_tui.engine.record.shelf import Shelf
from gpubench_tui.tui.cli.main import main
from msgspec.structs import replace


def the_line(sessions: Sequence[Session]) -> TrendLine:
    (line,) = find_trend(sessions).lines
    return line


def test_each_session_is_a_point_compared_with_the_one_before() -> None:
    line = the_line([dated(0), dated(1, 1.01), dated(2, 1.4)])
    assert [point.session for point in line.points] == ["demo-0", "demo-1", "demo-2"]
    assert [round(point.throughput) for point in line.points] == [640, 634, 457]
    for point in line.points:
        assert point.interval is not None and point.interval[0] <= point.throughput <= point.interval[1]
    first, second, third = (point.step for point in line.points)
    assert first is None
    assert second is not None and third is not None
    assert (second.against, second.verdict) == ("demo-0", "no difference")
    assert (third.against, third.verdict) == ("demo-1", "worse")
    assert third.ratio == pytest.approx(1.01 / 1.4)
    assert third.interval is not None and third.interval[1] < 1
    assert line.overall is not None and line.overall.ratio == pytest.approx(1 / 1.4)


def updated(**versions: str) -> Host:
    return replace(HOST, software=replace(HOST.software, **versions))


def test_changes_of_versions_are_marked_where_they_happened_and_load_is_not() -> None:
    busier = replace(updated(torch="2.14.0"), cpu=replace(HOST.cpu, load_average=9.0))
    newest = replace(busier, software=replace(busier.software, driver="590.1"))
    line = the_line([dated(0), dated(1), dated(2, 1.0, busier), dated(3, 1.0, newest)])
    assert [point.differs for point in line.points] == [
        (),
        (),
        ("torch: 2.14.0 against 2.13.0",),
        ("driver: 590.1 against not recorded",),
    ]


def test_what_a_gpu_held_at_the_start_is_no_change_and_gpus_that_changed_alike_are_one() -> None:
    def with_gpus(used: int, watts: float) -> Host:
        gpus = (Gpu(i, f"GPU-{i}", "H200", power_limit_watts=watts, memory_used_bytes=used) for i in range(3))
        return replace(HOST, gpus=tuple(gpus))

    line = the_line(
        [
            dated(day, 1.0, with_gpus(used, watts))
            for day, used, watts in ((0, 0, 700), (1, 9 << 30, 700), (2, 0, 450))
        ]
    )
    assert line.points[1].differs == ()
    (text,) = line.points[2].differs
    assert text.startswith("GPU 0-2: ") and "limit 450 W" in text


def test_a_run_is_one_line_whether_or_not_a_session_varied_its_settings() -> None:
    def trained_in(precision: str) -> RunSpec:
        workload = Workload(name="cnn", precision=precision)  # type: ignore[arg-type]
        return spec(precision, "single", workloads=[workload])

    fp32, bf16 = trained_in("fp32"), trained_in("bf16")
    varied = [
        replace(each, label=f"single x1, {each.id}", varied={"precision": each.id}) for each in (fp32, bf16)
    ]
    sessions = [dated(0, 1.0, HOST, fp32), dated(1, 1.0, HOST, *varied), dated(2, 1.0, HOST, bf16)]
    lines = {line.label: [point.session for point in line.points] for line in find_trend(sessions).lines}
    assert lines == {"single x1, fp32": ["demo-0", "demo-1"], "single x1": ["demo-1", "demo-2"]}
    for a, b in pairwise(sessions):  # as `compare` pairs them
        assert len(compare_pair(a, b).changes) == 1


def test_a_changed_workload_has_a_line_of_its_own_and_goes_on_when_it_is_back() -> None:
    def trained_in(precision: str) -> RunSpec:
        workload = Workload(name="cnn", precision=precision)  # type: ignore[arg-type]
        return spec("single", "single", workloads=[workload])

    sessions = [
        dated(day, 1.0, HOST, trained_in(precision)) for day, precision in enumerate(["fp32", "bf16", "fp32"])
    ]
    trend = find_trend(sessions)
    lines = {line.label: [point.session for point in line.points] for line in trend.lines}
    assert lines == {
        "single x1 (precision: fp32)": ["demo-0", "demo-2"],
        "single x1 (precision: bf16)": ["demo-1"],
    }


def test_runs_are_matched_by_what_they_are() -> None:
    renamed = replace(SINGLE, id="01", configuration="01")
    trend = find_trend([dated(0, 1.0, HOST, SINGLE, DDP), dated(1, 1.0, HOST, renamed)])
    assert {line.label: len(line.points) for line in trend.lines} == {"single x1": 2, "ddp x2": 1}


def test_a_session_without_figures_is_named_and_left_out() -> None:
    stopped = session(of_day(1, HOST, SINGLE))
    in_vain = session(of_day(1.5, HOST, SINGLE), failed(SINGLE.id))
    trend = find_trend([dated(0), stopped, in_vain, dated(2)])
    assert trend.left_out == (f"{stopped.name}: finished", f"{in_vain.name}: failed")
    (line,) = trend.lines
    assert [point.step and point.step.against for point in line.points] == [None, "demo-0"]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Three sessions of one preset, one on another machine, and one of another preset."""
    shelf = Shelf(tmp_path)
    for day, factor, host in ((0, 1.0, HOST), (1, 1.4, updated(torch="2.14.0")), (2, 1.4, HOST)):
        shelve_dated(shelf, day, factor, host)
    shelve_dated(shelf, -1, 9.0, replace(HOST, name="elsewhere"))
    shelve_dated(shelf, 3, 9.0, HOST, preset="another")
    return shelf


def test_the_trend_is_of_the_machine_of_the_newest_session_unless_another_is_named(shelf: Shelf) -> None:
    trend = read_trend(shelf, "demo")
    assert trend is not None
    assert (trend.host, trend.sessions, trend.elsewhere) == ("bench", 3, ("elsewhere",))
    there = read_trend(shelf, "demo", "elsewhere")
    assert there is not None and there.sessions == 1
    assert read_trend(shelf, "demo", "nowhere") is None
    assert read_trend(shelf, "unknown") is None


@pytest.mark.parametrize("width", [60, 80, 200])
def test_as_text(shelf: Shelf, width: int) -> None:
    trend = read_trend(shelf, "demo")
    assert isinstance(trend, Trend)
    text = render_trend(trend, "text", width)
    lines = text.splitlines()
    assert all(len(line) <= max(width, 70) for line in lines)
    assert lines[0] == "demo on bench: 3 sessions"
    rows = [line for line in lines if line.strip().startswith("20")]
    assert [row.split()[0] for row in rows] == sorted((row.split()[0] for row in rows), reverse=True)
    assert "worse" in rows[1] and rows[1].rstrip().endswith("a") and rows[0].rstrip().endswith("b")
    assert "a: torch: 2.14.0 against 2.13.0" in text
    assert "b: torch: 2.13.0 against 2.14.0" in text
    assert "newest against first: 0.71x" in text
    assert "elsewhere" in text


def test_as_json_csv_and_markdown(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--sessions-dir", str(shelf.root))
    assert main(["trend", "demo", "--json", *where]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "gpubench-tui/trend"
    (line,) = document["lines"]
    assert [round(point["throughput"]) for point in line["points"]] == [640, 457, 457]
    assert line["points"][1]["step"]["verdict"] == "worse"
    assert main(["trend", "dem", "--format", "csv", *where]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["verdict"] for row in rows] == ["", "worse", "no difference"]
    assert float(rows[1]["ratio"]) == pytest.approx(1 / 1.4)
    assert main(["trend", "demo", "--format", "md", *where]) == 0
    page = capsys.readouterr().out
    assert page.startswith("# demo on bench: 3 sessions\n") and "| verdict" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "no session in {root} is of a preset 'nothing'"),
        (["demo", "--host", "nowhere"], "no session of demo in {root} was measured on 'nowhere'"),
        (["demox"], "did you mean demo?"),
    ],
)
def test_what_cannot_be_shown_is_said(
    shelf: Shelf, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["trend", *words, "--sessions-dir", str(shelf.root)]) == 2
    assert said.format(root=shelf.root) in capsys.readouterr().err


def test_changes_have_letters_however_many_there_are() -> None:
    assert [mark_letter(place) for place in (0, 25, 26, 51, 52, 701, 702)] == [
        "a",
        "z",
        "aa",
        "az",
        "ba",
        "zz",
        "aaa",
    ]
