"""Results as JSON and CSV."""

import csv as csv_reader
import io
import json as json_reader

import pytest
from building.demo import EVENTS
from building.sessions import (
    arithmetic,
    breakdown,
    communication,
    measured,
    opening,
    session,
    spec,
)
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.export import csv, json
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session import Session


@pytest.fixture(scope="module")
def demo() -> Session:
    return session(EVENTS)


def test_json_says_all_and_names_its_version(demo: Session) -> None:
    document = json_reader.loads(json(analyse(demo)))
    assert (document["schema"], document["version"]) == ("gpubench-tui/report", 2)
    assert [row["run"] for row in document["results"]] == ["01", "02", "03", "04", "05", "06"]
    ddp = document["results"][1]
    assert ddp["speedup"] == pytest.approx(analyse(demo).results[1].speedup)
    assert ddp["peak_memory_bytes"] == 2 << 30
    assert document["results"][2]["throughput"] is None
    assert document["results"][4]["failure"]["kind"] == "raised"
    assert document["results"][5]["parts"][1]["side_by_side"]["throughput"] == pytest.approx(640 / 2.2)
    assert document["evaluations"]["01"]["0"][1]["test_accuracy"] == 0.5
    assert document["settings"]["02"] == {"threads": 1}
    assert document["host"]["software"]["torch"] == "2.13.0"
    assert [line["text"] for line in document["log"]] == ["GPU 3 was lost"]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A1", "+1", "-2+3", "@SUM(A1)", " =1", "\t=1"])
def test_csv_leaves_a_spreadsheet_nothing_to_calculate(name: str) -> None:
    events = opening(spec("01", "single", workloads=[Workload(name=name)])) + measured("01", [[1.0, 1.0]])
    (row,) = csv_reader.DictReader(io.StringIO(csv(analyse(session(events)))))
    assert row["workload"] == f"'{name}"
    assert float(row["throughput_samples_per_s"]) > 0


def test_csv_has_a_byte_order_mark_where_it_needs_one(demo: Session) -> None:
    assert csv(analyse(demo)).startswith("run,")
    events = opening(spec("01", "single", workloads=[Workload(name="größe \x1b[2J")]))
    table = csv(analyse(session(events)))
    assert table.startswith("\ufeffrun,") and r"größe \x1b[2J" in table


def test_csv_has_a_row_for_each_run_and_units_in_its_titles(demo: Session) -> None:
    rows = list(csv_reader.DictReader(io.StringIO(csv(analyse(demo)))))
    assert [row["run"] for row in rows] == ["01", "02", "03", "04", "05", "06"]
    assert float(rows[1]["throughput_samples_per_s"]) == pytest.approx(1207.547, rel=1e-6)
    assert float(rows[1]["interval_low_samples_per_s"]) < 1207 < float(rows[1]["interval_high_samples_per_s"])
    assert rows[2]["throughput_samples_per_s"] == "", "not available is empty, not zero"
    assert rows[2]["reason"] == "DataParallel needs CUDA"
    assert rows[4]["reason"] == "CUDA said |no|\n\nand <i>left</i>"
    assert None not in rows[4], "no cell too many"


def test_csv_has_where_steps_go_and_what_communication_costs() -> None:
    folded = session(
        opening(spec("ddp", "ddp", 2)),
        measured("ddp", [[1.0] * 5] * 2),
        [breakdown("ddp", rank, input=[0.05] * 5, forward=[0.15] * 5) for rank in (0, 1)],
        [communication("ddp", rank, (), [0.2] * 5, [0.15] * 5) for rank in (0, 1)],
        [arithmetic("ddp", rank, 10**9, 1e11) for rank in (0, 1)],
    )
    (row,) = csv_reader.DictReader(io.StringIO(csv(analyse(folded))))
    assert float(row["input_share"]) == pytest.approx(0.25)
    assert float(row["unaccounted_share"]) == pytest.approx(0, abs=1e-9)
    assert float(row["detail_step_s"]) == pytest.approx(0.2)
    assert [float(row[f"sync_cost{end}_s"]) for end in ("", "_low", "_high")] == [pytest.approx(0.05)] * 3
    assert float(row["mfu"]) == pytest.approx(0.05)
    assert (row["bytes_per_step"], row["buckets"], row["joules_per_sample"]) == ("4000", "", "")
