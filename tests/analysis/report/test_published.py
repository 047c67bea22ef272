import json as json_reader

import pytest
from building.sessions import communication, evaluations, measured, opening, session, spec
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.export import json
from gpubench_tui.engine.analysis.report.markdown import markdown
from gpubench_tui.engine.analysis.report.published import Beside, beside
from gpubench_tui.engine.plan.preset.preset import UNITS, Figure, Metric, Mode, Published
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session import Session

CNN, VIT = Workload(name="cnn"), Workload(name="vit")


def study(*figures: Figure) -> Published:
    return Published(source="A study", hardware="2 x Tesla T4", note="Read with care.", figures=figures)


def of(metric: Metric, value: float = 1.0, mode: Mode | None = None, workload: str | None = None) -> Figure:
    return Figure(metric=metric, value=value, mode=mode, workload=workload)


def folded(*figures: Figure) -> Session:
    turns = [communication("ddp", rank, [(10**6, [1.0], [1.01])], [0.05] * 5, [0.04] * 5) for rank in (0, 1)]
    return session(
        opening(
            spec("single", "single", baseline="single", workloads=[CNN]),
            spec("ddp", "ddp", 2, baseline="single", workloads=[CNN]),
            spec("both", "concurrent", 2, workloads=[CNN, VIT]),
            published=[study(*figures)],
        ),
        measured("single", [[1.0] * 5]),
        evaluations("single", 0, [0.3, 0.6, 0.5], seconds=3.0),
        measured("ddp", [[1.25] * 5] * 2),
        turns,
        measured("both", [[1.0] * 5, [2.0] * 5]),
        evaluations("both", 1, [0.2], seconds=7.0),
    )


def rows(*figures: Figure) -> list[Beside]:
    return beside(analyse(folded(*figures)))


@pytest.mark.parametrize(
    ("figure", "own"),
    [
        (of("throughput", mode="single"), 640),
        (of("throughput_per_device", mode="ddp"), 512),
        (of("step_seconds", mode="single"), 0.2),
        (of("speedup", mode="ddp"), 1.6),
        (of("efficiency", mode="ddp"), 0.8),
        (of("accuracy", mode="single"), 0.5),
        (of("best_accuracy", mode="single"), 0.6),
        (of("best_accuracy", mode="concurrent", workload="vit"), 0.2),
        (of("loss", mode="single"), 1.25),
        (of("epoch_seconds", mode="single"), 3.0),
        (of("epoch_seconds", mode="ddp"), 640 / 1024),
        (of("training_seconds", mode="single"), 9.0),
        (of("communication_seconds", mode="ddp"), 5 * 0.010),
        (of("compute_seconds", mode="ddp"), 5 * 0.040),
        (of("bandwidth", mode="ddp"), 0.1),
        (of("bandwidth_utilization", mode="ddp"), None),
        (of("memory", mode="single"), 1.073741824),
        (of("throughput", mode="concurrent", workload="vit"), 320),
        (of("training_seconds", mode="concurrent", workload="vit"), 7.0),
        (of("accuracy", mode="concurrent", workload="vit"), 0.2),
        (of("memory", mode="concurrent", workload="vit"), 2.147483648),
        (of("speedup", mode="concurrent", workload="vit"), None),
        (of("concurrency_gain", mode="concurrent"), 1.0),
    ],
)
def test_ones_own_figure_of_the_same_kind_stands_beside(figure: Figure, own: float | None) -> None:
    (row,) = rows(figure)
    assert (row.source, row.hardware, row.published) == ("A study", "2 x Tesla T4", 1.0)
    assert row.own == (None if own is None else pytest.approx(own))
    assert (row.own_kind is None) is (own is None)
    assert row.unit == UNITS[figure.metric]


def test_a_figure_of_several_runs_stands_beside_each() -> None:
    found = rows(of("throughput", workload="cnn"))
    assert [(row.own_run, row.own) for row in found] == [
        ("single", pytest.approx(640)),
        ("ddp", pytest.approx(1024)),
        ("both", pytest.approx(640)),
    ]


def test_a_figure_without_a_run_stands_alone() -> None:
    labelled = Figure(metric="speedup", value=14.3, label="both, one after the other")
    unplanned = Figure(metric="epoch_seconds", value=12.5, mode="dp", devices=4, batch=32)
    first, second = rows(labelled, unplanned)
    assert (first.what, first.own, first.own_run) == ("both, one after the other", None, None)
    assert (second.what, second.own) == ("dp x4, batch 32", None)


def test_derived_is_not_measured() -> None:
    measured_, derived = rows(of("epoch_seconds", mode="single"), of("epoch_seconds", mode="ddp"))
    assert measured_.own_kind == "measured, 640 samples"
    assert derived.own_kind == "derived, 640 samples over samples/s"


def test_the_report_marks_them_with_their_hardware() -> None:
    text = markdown(analyse(folded(of("accuracy", 0.668, mode="single"), of("speedup", 11.7, mode="ddp"))))
    part = text.split("## Published figures")[1].split("\n## ")[0]
    assert "Published by others, on other hardware" in part
    assert "**A study**, published, on 2 x Tesla T4:" in part
    assert "Read with care." in part
    assert "| single x1 | accuracy |" in " ".join(part.split())
    assert "66.8%" in part
    assert "11.70x" in part
    assert "Published" not in markdown(analyse(session(opening(spec("single", "single")))))


def test_json_has_them_apart_from_the_results() -> None:
    document = json_reader.loads(json(analyse(folded(of("accuracy", 0.668, mode="single")))))
    (row,) = document["published"]
    assert (row["published"], row["own"], row["own_kind"]) == (0.668, 0.5, "measured")
    assert document["provenance"]["throughput"]["kind"] == "measured"


def test_a_figure_without_a_run_has_the_unit_of_the_training() -> None:
    tokens = Workload(training="tokens", model="llama-8b")
    figure = Figure(
        metric="throughput_per_device", value=5762, mode="fsdp", devices=128, vary={"compile": True}
    )
    runs = spec("single", "single", baseline="single", workloads=[tokens])
    (row,) = beside(
        analyse(session(opening(runs, published=[study(figure)]), measured("single", [[1.0] * 5])))
    )
    assert (row.what, row.unit, row.own) == ("fsdp x128, compile", "tokens/s", None)
