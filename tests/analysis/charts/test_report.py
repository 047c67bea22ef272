from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from building.sessions import breakdown, evaluations, failed, measured, opening, session, spec
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.charts.report import svg_report
from gpubench_tui.engine.analysis.charts.scale import Scale
from gpubench_tui.engine.analysis.charts.svg import shorten, width_of, wrap_text
from gpubench_tui.engine.analysis.export import format_of_file, render
from gpubench_tui.engine.analysis.results.phases import PARTS
from gpubench_tui.engine.plan.plan import RunSpec
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import Event, SessionFinished
from gpubench_tui.engine.record.session import Session, fold
from msgspec.structs import replace

from .drawn import SVG, Picture, boxes, marks, whiskers, words

CNN = Workload(name="cnn", model="cnn")
ODD = Workload(name='v|\n<b> & "x"\x1b 畳み 🙂', model="vit-small")
LONG = "a name that is so long that nobody would give it to a workload but somebody will " * 3


def spread(seconds: float) -> list[float]:
    """The seconds of windows that differ."""
    return [seconds * (1 + 0.01 * number) for number in (-2, -1, 0, 1, 2, 0)]


def compared() -> Session:
    """One device, two with a speedup, a run that failed, one that was skipped, one that is not comparable."""
    return session(
        opening(
            spec("01", "single", baseline="01"),
            spec("02", "ddp", 2, baseline="01"),
            spec("03", "dp", 2, baseline="01", skip="DataParallel needs CUDA"),
            spec("04", "fsdp", 2, baseline="01"),
            spec("05", "ddp", 4, baseline="01"),
        ),
        measured("01", [spread(1.0)]),
        measured("02", [spread(1.25), spread(1.2)]),
        failed("04", "it went wrong"),
        measured("05", [spread(1.0)] * 4, settings={"threads": 2}),
    )


def alone() -> Session:
    return session(opening(spec("01", "single", baseline="01")), measured("01", [spread(1.0)]))


def of_batches(modes: tuple[str, ...] = ("single", "ddp"), batches: int = 12, name: str = LONG) -> Session:
    """Every mode at so many batches."""
    specs: list[RunSpec] = []
    events: list[Event] = []
    for mode in modes:
        for power in range(batches):
            run, devices = f"{len(specs):02d}", 1 if mode == "single" else 2
            workload = Workload(name=name, batch=2**power)
            run_spec = spec(run, mode, devices, workloads=[workload], baseline=f"{power:02d}")  # type: ignore[arg-type]
            specs.append(replace(run_spec, label=f"{mode} x{devices}, batch {2**power}, {name}"))
            events += measured(run, [spread(1 + power)] * devices, samples=640 * 2**power)
    return session(opening(*specs), events)


def side_by_side() -> Session:
    return session(
        opening(
            spec("01", "single", workloads=[CNN], baseline="01"),
            spec("02", "single", workloads=[ODD], baseline="02"),
            spec("03", "concurrent", 2, workloads=[CNN, ODD]),
        ),
        measured("01", [spread(1.0)]),
        measured("02", [spread(2.0)]),
        measured("03", [spread(1.1), spread(2.2)]),
        [breakdown("03", rank, forward=[0.1], backward=[0.2 + rank]) for rank in (0, 1)],
    )


def learning(runs: int = 2, epochs: int = 5) -> Session:
    specs = [spec(f"{run:02d}", "single", baseline="00") for run in range(runs)]
    events: list[Event] = []
    for each in specs:
        accuracies = [0.2 + 0.1 * epoch for epoch in range(epochs)]
        events += [*measured(each.id, [spread(1.0)]), *evaluations(each.id, 0, accuracies)]
    return session(opening(*specs), events)


def where_steps_go() -> Session:
    parts = {"input": 0.1, "forward": 0.2, "backward": 0.4, "exposed": 0.2, "unaccounted": 0.1}
    return session(
        opening(spec("01", "single", baseline="01"), spec("02", "ddp", 2, baseline="01")),
        measured("01", [spread(1.0)]),
        [breakdown("01", 0, **{part: [seconds] for part, seconds in parts.items()})],
        measured("02", [spread(1.2)] * 2),
        [breakdown("02", rank, forward=[0.3], backward=[0.8], unaccounted=[-0.1]) for rank in (0, 1)],
    )


def unfinished() -> Session:
    specs = spec("01", "single", baseline="01"), spec("02", "ddp", 2)
    return fold([*opening(*specs), *measured("01", [[1.0]])])


SESSIONS = {
    "compared": compared(),
    "one run": alone(),
    "24 runs": of_batches(),
    "side by side": side_by_side(),
    "epochs": learning(),
    "many trainings": learning(runs=15),
    "steps": where_steps_go(),
    "unfinished": unfinished(),
    "stopped": fold([*opening(spec("01", "single")), SessionFinished(at=1.0, outcome="stopped")]),
    "nothing": fold([]),
}


@pytest.fixture(params=SESSIONS.values(), ids=SESSIONS.keys())
def any_picture(request: pytest.FixtureRequest) -> Iterator[Picture]:
    yield Picture(svg_report(analyse(request.param)))


def test_no_words_leave_the_picture_or_cover_others(any_picture: Picture) -> None:
    for text in any_picture.texts:
        assert text.left >= 0 and text.right <= any_picture.width, text
        assert text.top >= 0 and text.bottom <= any_picture.height, text
    for one, other in combinations(any_picture.texts, 2):
        assert not one.overlaps(other), (one, other)


def test_nothing_is_drawn_outside_of_the_picture(any_picture: Picture) -> None:
    left = right = 28.0  # the margin
    for box in any_picture.root.iter(f"{SVG}rect"):
        if box.attrib["class"] != "page frame":
            assert float(box.attrib["width"]) >= 0
            assert left + float(box.attrib.get("x", 0)) + float(box.attrib["width"]) <= 880 - right + 0.1


@pytest.mark.parametrize("name", SESSIONS)
def test_a_picture_refers_to_nothing_outside_itself(name: str) -> None:
    svg = render(analyse(SESSIONS[name]), "svg")
    assert set(re.findall(r"\w+://[^\"'\s]+", svg)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"href|url\(|@import|<script|<image|@font-face", svg)
    assert svg.endswith("</svg>\n")
    assert len(svg) < 60_000


def test_bars_are_as_long_as_their_figures_and_whiskers_span_their_intervals() -> None:
    drawn, (single, ddp, *_) = Picture(svg_report(analyse(compared()))), analyse(compared()).results
    (base_row,), (row,) = drawn.rows("single x1"), drawn.rows("ddp x2")
    (start, base), (speedup_start, base_speedup) = boxes(base_row, "base")
    (_, bar), (_, speedup) = boxes(row, "bar")
    assert bar / base == pytest.approx(ddp.throughput / single.throughput, rel=0.005)
    assert speedup / base_speedup == pytest.approx(ddp.speedup, rel=0.005)
    throughput_whisker, speedup_whisker = whiskers(row)
    expected = [start + end / single.throughput * base for end in ddp.interval]
    assert throughput_whisker == pytest.approx(expected, abs=0.3)
    expected = [speedup_start + end * base_speedup for end in ddp.speedup_interval]
    assert speedup_whisker == pytest.approx(expected, abs=0.3)
    assert marks(row) == pytest.approx([speedup_start + 2 * base_speedup], abs=0.3)
    assert marks(base_row) == []
    assert words(row) == ["ddp x2", "1,024", "1.60x", "80.0%"]


def test_runs_without_figures_are_named_and_not_drawn_as_zero() -> None:
    drawn = Picture(svg_report(analyse(compared())))
    for name, said in (("dp x2", "skipped: DataParallel needs CUDA"), ("fsdp x2", "it went wrong")):
        (row,) = drawn.rows(name)
        assert said in words(row)[1]
        assert list(row.iter(f"{SVG}rect")) == []


def test_what_is_not_comparable_has_a_throughput_and_no_speedup() -> None:
    drawn = Picture(svg_report(analyse(compared())))
    (row,) = drawn.rows("ddp x4")
    assert words(row) == ["ddp x4", "2,560", "no speedup"]
    assert len(boxes(row, "bar")) == 1
    assert marks(row) == []
    assert any("not comparable with single x1" in text.words for text in drawn.texts)


def test_without_a_speedup_there_is_no_place_for_one() -> None:
    drawn = Picture(svg_report(analyse(alone())))
    said = [text.words for text in drawn.texts]
    assert "samples/s" in said
    assert not any("speedup" in text or "baseline" in text or "ideal" in text for text in said)


def test_the_picture_says_what_was_measured_where_and_with_what() -> None:
    drawn = Picture(svg_report(analyse(compared())))
    said = " ".join(text.words for text in drawn.texts)
    assert "A demo" in said and "ddp on 2 devices is 1.60x as fast as single (efficiency 80.0%)" in said
    assert "Measured on bench: 2 CPU shares (core 0 | core 1), Some CPU, torch 2.13.0." in said
    for fact in ("2023-11-1", "gpubench-tui 0.1.0", "preset demo", "session demo-1", "fingerprints "):
        assert fact in said
    texts = Picture(svg_report(analyse(unfinished()))).texts
    assert "The session had not ended" in " ".join(text.words for text in texts)


def test_who_cannot_see_it_is_told_the_same() -> None:
    root = Picture(svg_report(analyse(compared()))).root
    assert root.attrib["role"] == "img"
    about = {part: root.find(f"{SVG}{part}") for part in root.attrib["aria-labelledby"].split()}
    assert about["title"] is not None and about["title"].text == "A demo"
    assert about["desc"] is not None and about["desc"].text is not None
    assert "ddp x2: 1,024 samples/s (95% interval 980 to 1,070), speedup 1.60x (" in about["desc"].text
    assert "dp x2: skipped: DataParallel needs CUDA." in about["desc"].text


def test_odd_names_are_written_as_they_are() -> None:
    drawn = Picture(svg_report(analyse(side_by_side())))
    (row,) = drawn.rows("– v|")
    assert words(row)[0] == '– v| <b> & "x"\\x1b 畳み 🙂 on core 1'


def test_trainings_side_by_side_have_a_bar_each_and_a_gain() -> None:
    drawn = Picture(svg_report(analyse(side_by_side())))
    (row,) = drawn.rows("concurrent x2")
    assert words(row)[1] == "side by side"
    (cnn,) = drawn.rows("– cnn")
    assert len(boxes(cnn, "bar")) == 1
    assert any("concurrency gain 1.36x of at most 2x" in text.words for text in drawn.texts)


def test_the_parts_of_a_step_fill_its_bar() -> None:
    drawn = Picture(svg_report(analyse(where_steps_go())))
    widths = {part: [width for _, width in boxes(drawn.root, part)] for part in PARTS}
    keys = {part: 1 for part in PARTS if part not in ("transfer", "dividing", "copying", "optimizer")}
    assert {part: len(found) - keys.get(part, 0) for part, found in widths.items()} == {
        "input": 1,
        "transfer": 0,
        "forward": 2,
        "backward": 2,
        "dividing": 0,
        "exposed": 1,
        "copying": 0,
        "optimizer": 0,
        "unaccounted": 1,
    }
    first = {part: widths[part][1] for part in keys}
    whole = sum(first.values())
    shares = analyse(where_steps_go()).results[0].phases.shares
    for part in keys:
        assert first[part] / whole == pytest.approx(shares[part], abs=0.002)
    overlapping = widths["forward"][2] + widths["backward"][2]
    assert overlapping == pytest.approx(whole, abs=0.2), "parts that overlap are drawn within the bar"


def test_accuracy_and_loss_are_curves_with_a_point_an_epoch() -> None:
    drawn = Picture(svg_report(analyse(learning(runs=2, epochs=5))))
    lines = [path for path in drawn.root.iter(f"{SVG}path") if path.attrib["class"] == "line line-1"]
    assert [line.attrib["d"].count("L") for line in lines] == [4, 4, 0], "accuracy, loss, and the key"
    ys = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", lines[0].attrib["d"])]
    assert ys == sorted(ys, reverse=True)
    assert any(text.words == "single x1: 60.0%" for text in drawn.texts)
    assert any("training" in path.attrib["class"] for path in drawn.root.iter(f"{SVG}path"))


def test_of_too_many_trainings_some_are_left_to_the_report() -> None:
    drawn = Picture(svg_report(analyse(learning(runs=15))))
    assert any(text.words == "The report has 3 more." for text in drawn.texts)


@pytest.mark.parametrize("accuracies", [[1.0, 1.0], [0.0, 0.0], [0.31, 0.995, 1.0], [0.999, 0.9995]])
def test_accuracy_is_drawn_within_0_and_100_percent_over_whole_epochs(accuracies: list[float]) -> None:
    one = spec("single", "single")
    trained = session(
        opening(one), measured("single", [[1.0] * len(accuracies)]), evaluations("single", 0, accuracies)
    )
    texts = [text.words for text in Picture(svg_report(analyse(trained))).texts]
    axis = [float(text.removesuffix("%")) for text in texts if re.fullmatch(r"[\d.]+%", text)]
    assert len(axis) >= 2 and min(axis) >= 0 and max(axis) <= 100
    epochs = texts[texts.index("test accuracy") : texts.index("test loss")]
    numbers = [text for text in epochs if re.fullmatch(r"[\d.]+", text)]
    assert numbers == [str(epoch) for epoch in range(1, len(accuracies) + 1)]


def test_one_epoch_makes_no_curve() -> None:
    said = [text.words for text in Picture(svg_report(analyse(learning(epochs=1)))).texts]
    assert "Learning curves" not in said


def test_throughput_over_the_batch_is_a_curve_where_a_plan_varies_it() -> None:
    drawn = Picture(svg_report(analyse(of_batches(batches=4, name="cnn"))))
    assert any(text.words == "Throughput over batch size" for text in drawn.texts)
    lines = [path for path in drawn.root.iter(f"{SVG}path") if path.attrib["class"] == "line line-0"]
    xs = [float(x) for x in re.findall(r"[ML]([\d.]+) ", lines[0].attrib["d"])]
    steps = [b - a for a, b in pairwise(xs)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.2), "as far from 1 to 2 as from 2 to 4"
    two = Picture(svg_report(analyse(of_batches(batches=2))))
    assert not any(text.words == "Throughput over batch size" for text in two.texts)


def test_the_picture_suits_a_light_and_a_dark_page() -> None:
    svg = svg_report(analyse(alone()))
    light, dark = svg.split("@media (prefers-color-scheme: dark)")
    for kind in (".ink", ".page", ".bar", ".grid", ".whisker", ".ideal", ".line-0"):
        assert f"{kind} {{" in light
        assert f"{kind} {{" in dark


def test_a_scale_maps_its_ends_to_its_ends() -> None:
    scale = Scale(low=32, high=2048, start=10, end=110, logarithmic=True)
    assert [scale(32), scale(256), scale(2048)] == pytest.approx([10, 60, 110])
    assert Scale(low=3, high=3, start=0, end=10)(3) == 5


def test_words_fit_their_room() -> None:
    assert shorten("short", 10, 100) == "short"
    assert shorten("quite a bit longer", 10, 60) == "quite a b…"
    assert width_of(shorten("畳み込み" * 9, 10, 60), 10) <= 60
    assert wrap_text("one two three", 10, 50) == ["one two", "three"]
    assert all(width_of(line, 10) <= 50 for line in wrap_text(LONG.replace(" ", ""), 10, 50))


@pytest.mark.parametrize(
    ("name", "form"), [("a.svg", "svg"), ("a.CSV", "csv"), ("a.json", "json"), ("a", "md")]
)
def test_a_file_name_asks_for_its_format(name: str, form: str) -> None:
    assert format_of_file(Path(name)) == form


def test_a_strange_suffix_asks_for_none() -> None:
    with pytest.raises(ValueError, match=r"\.pdf is not a report format; use \.md, \.json, \.csv, \.svg"):
        format_of_file(Path("a.pdf"))
