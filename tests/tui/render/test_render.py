import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from building.recorded import GIB, gpu_sample, session_events
from driving.app import lines_of
from gpubench_tui.engine.analysis.analysis import Analysis, analyse
from gpubench_tui.engine.analysis.diagnosis.stragglers import Paces
from gpubench_tui.engine.host.facts import CpuSample, GpuSample
from gpubench_tui.engine.record.events import LogMessage
from gpubench_tui.engine.record.series import Series
from gpubench_tui.engine.record.session import Session, fold
from gpubench_tui.tui.render.communication import communication_table
from gpubench_tui.tui.render.curves import curves
from gpubench_tui.tui.render.devices import devices_table
from gpubench_tui.tui.render.drawing.grid import wrapped
from gpubench_tui.tui.render.drawing.sparkline import sparkline
from gpubench_tui.tui.render.monitor.cpu_strip import cpu_strip
from gpubench_tui.tui.render.monitor.current_run import current_run
from gpubench_tui.tui.render.monitor.gpu_strip import gpu_strips, throttled_gpus
from gpubench_tui.tui.render.monitor.logs import session_log
from gpubench_tui.tui.render.monitor.plan import current_run_line, plan_list
from gpubench_tui.tui.render.monitor.rank_bars import rank_bars, rank_title
from gpubench_tui.tui.render.monitor.run_plots import PlotArea, loss_plot, throughput_plot
from gpubench_tui.tui.render.monitor.time_range import TIME_RANGES
from gpubench_tui.tui.render.phases import phase_bars
from gpubench_tui.tui.render.published import published_figures
from gpubench_tui.tui.render.results_table import results_remarks, results_table
from gpubench_tui.tui.render.speedup_bars import speedup_bars
from gpubench_tui.tui.terminal.ascii import to_ascii
from msgspec.structs import replace
from textual.content import Content

FOREVER = float("inf")
Part = Callable[[Analysis, bool, int], Content]


def session(
    gpus: int, until: float = FOREVER, epochs: int = 0, fail: str | None = None, repeats: int = 1
) -> Session:
    return fold(event for event in session_events(gpus, epochs, fail, repeats) if event.at <= until)


def shown(part: Part, state: Session, width: int = 118, over: bool = True) -> list[str]:
    return lines_of(part(analyse(state), over, width))


def row(lines: Sequence[str], start: str) -> str:
    return " ".join(next(line for line in lines if line.startswith(start)).split())


@pytest.mark.parametrize("width", [38, 58, 78, 118, 198])
@pytest.mark.parametrize("gpus", [1, 2, 8, 16])
def test_every_gpu_has_its_strip_within_the_width(gpus: int, width: int) -> None:
    samples = [gpu_sample(index, gpus) for index in range(gpus)]
    lines = lines_of(gpu_strips(samples, width, 4))
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    for sample in samples:
        figure = "lost" if sample.lost else f"{sample.utilization:.0f}%"
        assert any(f"{sample.index:>2} " in line and figure in line for line in lines), text


def test_sixteen_gpus_take_four_lines_of_an_80_column_terminal() -> None:
    assert len(lines_of(gpu_strips([gpu_sample(index, 16) for index in range(16)], 78, 4))) == 4


def test_a_strip_says_what_there_is_to_know_where_there_is_room() -> None:
    line = gpu_strips([gpu_sample(1, 2)], 118, 4).plain
    for figure in (
        "96%",
        "72/140 GiB",
        "62°C",
        "612/700 W",
        "1755/1980 MHz",
        "power cap, thermal (software)",
    ):
        assert figure in line


def test_what_a_gpu_does_not_tell_is_not_zero() -> None:
    line = gpu_strips([GpuSample(0)], 78, 4).plain
    assert "n/a" in line
    assert "0%" not in line


def test_a_lost_gpu_is_said_to_be_lost() -> None:
    assert "3 lost: no longer answers" in gpu_strips([GpuSample(3, lost=True)], 78, 4).plain


@pytest.mark.parametrize("cores", [1, 2, 64, 256])
def test_all_cores_fit_the_width(cores: int) -> None:
    sample = CpuSample((50.0,) * cores, GIB, 2 * GIB, 100.0, GIB)
    lines = lines_of(cpu_strip(sample, 78))
    assert len(lines) == 2
    assert all(len(line) <= 78 for line in lines)
    assert f"50% of {cores} cores" in lines[0]
    assert "session 1.0 cores 1.0 GiB" in lines[1]


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize(("width", "height"), [(38, 7), (58, 12), (98, 20)])
def test_plots_fill_their_panel_exactly_and_label_their_axes(width: int, height: int, unicode: bool) -> None:
    state, canvas = session(2, until=3.0), PlotArea(width, height, unicode)
    run = next(iter(state.runs.values()))
    for drawn in (throughput_plot(state, run, canvas), loss_plot(run, canvas)):
        lines = lines_of(drawn.content)
        assert len(lines) == height
        assert all(len(line) <= width for line in lines)
        assert any("⠀" < character <= "⣿" for character in drawn.content.plain) == unicode
    assert "0:00" in throughput_plot(state, run, canvas).content.plain
    plain = throughput_plot(state, run, PlotArea(width, height, unicode=False)).content.plain
    assert to_ascii(plain).isascii() and "o" in plain


def test_a_plot_says_what_it_shows() -> None:
    state = session(2, until=3.0)
    run = next(iter(state.runs.values()))
    assert throughput_plot(state, run, PlotArea(60, 10)).title == "Samples/s: live 6,449, median 6,369"
    later = session(2, until=8.0)
    run = next(run for run in later.runs.values() if run.state == "running")
    assert throughput_plot(later, run, PlotArea(60, 10)).title.endswith(", single x1 6,404")
    assert loss_plot(run, PlotArea(60, 10, time=TIME_RANGES[2])).title.startswith(
        "Loss over steps, last 1 min: "
    )


def test_a_plot_of_nothing_and_a_plot_without_room_say_so() -> None:
    started, done = session(2, until=0.3), session(2)
    assert "no run yet" in throughput_plot(started, None, PlotArea(60, 10)).content.plain
    run = next(iter(started.runs.values()))
    assert "waiting" in throughput_plot(started, run, PlotArea(60, 10)).content.plain
    run = next(iter(done.runs.values()))
    assert "too small" in throughput_plot(done, run, PlotArea(10, 3)).content.plain


def test_the_plan_shows_every_state_on_a_line_of_its_own() -> None:
    lines = lines_of(plan_list(session(8, until=5.0), 78))
    assert len(lines) == 7
    assert lines[0].startswith("✓ single x1") and lines[0].endswith("6,404 samples/s  1.00x")
    assert lines[1].startswith("▶ dp x2")
    assert lines[3].startswith("– dp x16") and "skipped: 16 GPUs asked, 8 here" in lines[3]
    assert lines[4].startswith("· ddp x2") and lines[4].endswith("waiting")
    assert all(len(line) <= 38 for line in lines_of(plan_list(session(8, until=5.0), 38)))


def test_the_present_run_says_how_sure_it_is() -> None:
    text = current_run(session(2, until=3.6), 60).plain
    assert "measuring" in text
    assert "window 6" in text and "samples/s" in text
    assert re.search(r"precision ±\d\.\d%, goal ±1\.0% █", text)
    assert "about 0:0" in text


def test_a_run_by_epochs_tells_epoch_and_accuracy() -> None:
    text = current_run(session(2, until=3.0, epochs=6), 60).plain
    assert "measuring epoch 5 of 6: window 5" in text
    assert re.search(r"test accuracy \d\d\.\d% [▁▂▃▄▅▆▇█]{4}", text)


def test_a_silent_rank_is_noticed() -> None:
    state = session(2, until=3.0)
    state.elapsed += 30
    assert "no step reported by a rank for 0:30; given up at 2:00" in current_run(state, 60).plain


def test_the_log_keeps_the_newest_lines() -> None:
    said = [LogMessage(at=float(number), level="info", text=f"line {number}") for number in range(900)]
    lines = lines_of(session_log(said))
    assert lines[-1] == "14:59 line 899"
    assert len(lines) == 300


@pytest.mark.parametrize("width", [60, 78, 118, 198])
@pytest.mark.parametrize(("gpus", "epochs"), [(0, 0), (2, 6), (8, 0), (16, 0)])
def test_the_table_fits_and_never_loses_the_speedup(gpus: int, epochs: int, width: int) -> None:
    lines = lines_of(results_table(analyse(session(gpus, epochs=epochs)).results, width))
    assert all(len(line) <= width for line in lines)
    for title in ("mode", "devices", "samples/s", "speedup"):
        assert title in lines[0]
    assert "1.00x" in lines[1]


def test_a_wide_table_shows_every_column() -> None:
    header = lines_of(results_table(analyse(session(2, epochs=6)).results, 118))[0].split("  ")
    titles = [title.strip() for title in header if title.strip()]
    places = ["mode", "devices", "batch"]
    figures = ["samples/s", "per device", "step, ms", "speedup", "95% of speedup", "efficiency", "peak, GiB"]
    assert titles == [*places, *figures, "accuracy"]


def test_runs_without_figures_say_why() -> None:
    found = analyse(session(2, fail="02")).results
    table = lines_of(results_table(found, 78))
    assert table[2].startswith("✗ dp") and "failed" in table[2]
    assert "skipped" in table[3]
    said = results_remarks(found, Path("/sessions/one"), 200).plain
    assert "dp x2: failed" in said and "CUDA ran out of memory at batch 128" in said
    assert "dp x4: skipped: 4 GPUs asked, 2 here" in said


def test_the_plan_points_at_the_run_that_is_on_among_many_repeats() -> None:
    state = session(8, until=40.0, repeats=4)
    lines = lines_of(plan_list(state, 38))
    assert len(lines) == 28
    assert lines[current_run_line(state)].startswith("▶ ")
    assert "repeat" in lines[current_run_line(state)]


@pytest.mark.parametrize(
    ("mode", "before_end", "said"),
    [
        ("single", 0.07, "detail: timing the parts of a step"),
        ("ddp", 0.035, "detail: timing communication"),
    ],
)
def test_what_comes_after_the_windows_is_said_in_words(mode: str, before_end: float, said: str) -> None:
    run = next(run for run in session(2).runs.values() if run.spec.mode == mode)
    assert run.finished_at is not None
    text = current_run(session(2, until=run.finished_at - before_end), 60).plain
    assert said in text
    assert "left" in text and "100%" not in text


@pytest.mark.parametrize("width", [58, 78, 118, 198])
@pytest.mark.parametrize("gpus", [0, 2, 8])
def test_every_part_of_the_results_fits_its_width(gpus: int, width: int) -> None:
    state = session(gpus)
    for part in (phase_bars, communication_table, devices_table):
        lines = shown(part, state, width)
        assert all(len(line) <= width for line in lines), "\n".join(lines)
    assert all(len(line) <= width for line in lines_of(published_figures(analyse(state), width)))


def test_a_phase_bar_has_each_part_in_its_share() -> None:
    lines = shown(phase_bars, session(2))
    bar = next(line for line in lines if line.startswith("single x1"))
    drawn = bar.split()[2]
    assert len(drawn) == 100
    counts = [drawn.count(letter) for letter in "itfbXo."]
    assert all(
        abs(count - share) <= 1 for count, share in zip(counts, (20, 5, 25, 40, 0, 7.5, 2.5), strict=True)
    )
    exposed = next(line for line in lines if line.startswith("ddp x2")).split()[2]
    assert abs(exposed.count("X") - 13) <= 1
    assert "X exposed communication" in "\n".join(lines)


def test_shares_stand_in_numbers_under_words_or_where_space_is_short_letters() -> None:
    wide, narrow = shown(phase_bars, session(2), 118), shown(phase_bars, session(2), 78)
    names = "input transfer forward backward exposed optimizer unaccounted"
    assert row(wide, "run ") == f"run step, ms in windows {names}"
    assert row(narrow, "run ") == "run step, ms in windows i t f b X o ."
    for lines in (wide, narrow):
        numbers = lines[lines.index(next(line for line in lines if line.startswith("run "))) :]
        assert row(numbers, "ddp x2") == "ddp x2 23.0 20.8 17% 4% 22% 35% 13% 7% 2%"


def test_communication_says_what_it_costs_and_what_the_links_reach() -> None:
    lines = shown(communication_table, session(2), 78)
    text = "\n".join(lines)
    assert "MB per step" in text and "sync cost, ms (95%)" in text and "predicted, ms" in text
    costs = row(lines, "ddp x2")
    assert costs.startswith("ddp x2 44.7 3.0") and " to " in costs
    assert "utilisation" in text and "overlap" in text and "reachable" in text


def test_a_cost_within_the_noise_is_no_figure() -> None:
    assert "below the noise (-" in row(shown(communication_table, session(8)), "ddp x8")


@pytest.mark.parametrize("over", [False, True])
def test_parts_that_are_empty_say_why(over: bool) -> None:
    state = session(2, until=2.0)
    why = "No run reached this:" if over else "No run has reached this yet"
    for part in (phase_bars, communication_table, devices_table):
        assert why in "\n".join(shown(part, state, over=over))


def test_without_devices_that_speak_there_is_no_communication_to_wait_for() -> None:
    state = session(2)
    for name in list(state.runs):
        if state.runs[name].spec.mode != "single":
            del state.runs[name]
    assert "no run here has devices that communicate" in "\n".join(shown(communication_table, state))


def test_published_figures_are_marked_and_stand_beside_ones_own() -> None:
    state = session(2)
    lines = lines_of(published_figures(analyse(state), 78))
    assert lines[0] == "A study of scaling, published, on 8 x NVIDIA V100:"
    assert row(lines, "ddp x2") == "ddp x2 speedup 1.80x 1.92x derived"
    assert row(lines, "single x1") == "single x1 throughput 2,900 samples/s 6,404 samples/s measured"
    assert "One seed only." in lines


def test_a_paragraph_keeps_its_words_and_its_width() -> None:
    text = "the quick brown fox jumps over the lazy dog again and again"
    content = wrapped(text, 24, "bold", indent=2, lead="why: ")
    assert all(len(line) <= 24 for line in lines_of(content))
    assert " ".join(content.plain.split()) == f"why: {text}"


@pytest.mark.parametrize("width", [46, 58, 78, 118, 198])
@pytest.mark.parametrize("gpus", [1, 2, 8, 16])
def test_a_speedup_bar_ends_where_its_share_of_the_ideal_does(gpus: int, width: int) -> None:
    lines = lines_of(speedup_bars(analyse(session(gpus)).results, width))
    assert all(len(line) <= width for line in lines)
    bar = next(line for line in lines if line.startswith(f"ddp x{gpus} "))
    filled, dotted = bar.count("█"), bar.count("·")
    scale = filled + dotted + bar.count("│")
    speedup = gpus / (1 + 0.04 * math.log2(gpus))
    assert abs(filled / scale - speedup / gpus) <= 1.5 / scale
    assert f"{speedup:.2f}x of {gpus}"[:3] in bar and f" of {gpus}" in bar
    assert ("95%" in lines[0]) == (width >= 78)
    single = next(line for line in lines if line.startswith("single x1 "))
    assert single.count("█") + 1 <= scale / gpus + 1 and "1.00x of 1" in single


def test_a_speedup_beyond_the_ideal_passes_its_mark() -> None:
    found = analyse(session(2)).results
    faster = [replace(each, speedup=2.5, efficiency=1.25) if each.mode == "ddp" else each for each in found]
    bar = next(line for line in lines_of(speedup_bars(faster, 78)) if line.startswith("ddp"))
    assert re.search("█│█+ +2.50x of 2 ", bar)


def test_runs_that_differ_in_batch_alone_have_bars_without_an_ideal() -> None:
    found = [replace(each, efficiency=None) for each in analyse(session(2)).results]
    text = speedup_bars(found, 78).plain
    assert "█ speedup" in text and "ideal" not in text and "│" not in text


def test_a_gain_is_never_called_a_speedup() -> None:
    gain = [
        replace(each, speedup=None, concurrency_gain=1.6)
        for each in analyse(session(2)).results
        if each.windows
    ]
    text = speedup_bars(gain[1:2], 78).plain
    assert "█ concurrency gain  │ ideal" in text and "1.60x of 2" in text and "speedup" not in text


def test_without_anything_to_compare_the_bars_say_so() -> None:
    found = analyse(session(2, fail="0")).results
    assert "Nothing to compare" in speedup_bars(found, 78).plain
    found = [replace(each, speedup=None, state="waiting") for each in found]
    assert "Nothing yet" in speedup_bars(found, 78).plain


@pytest.mark.parametrize("width", [58, 78, 118, 198])
@pytest.mark.parametrize("epochs", [0, 6])
def test_curves_fit_and_name_their_runs(epochs: int, width: int) -> None:
    state = session(2, epochs=epochs)
    for unicode in (True, False):
        text = curves(analyse(state), width, unicode).plain
        assert all(len(line) <= width for line in text.split("\n"))
        assert (
            ("test accuracy over epochs" in text)
            == ("a single x1  b dp x2  c ddp x2" in text)
            == bool(epochs)
        )
        assert "samples/s, window by window" in text
    assert to_ascii(text).isascii() and "?" not in to_ascii(text)


def test_a_strip_of_windows_has_a_level_a_window_on_one_scale_for_all_runs() -> None:
    lines = lines_of(curves(analyse(session(8)), 78, True))
    strip = next(line for line in lines if line.startswith("dp x2")).split()[2]
    assert len(strip) == 6 and set(strip) <= set("▁▂▃▄▅▆▇█")
    assert lines[-1] == "Strips span ±2.0% around the run's median."


def test_curves_of_nothing_say_so() -> None:
    assert "No run has measured" in curves(analyse(session(2, until=1.0)), 78, True).plain


def test_an_axis_stands_still_and_then_steps_on() -> None:
    everything, _, minute = TIME_RANGES
    assert everything.stretch(100.0, 100.0) == (100.0, 110.0)
    assert everything.stretch(100.0, 131.0) == everything.stretch(100.0, 155.0) == (100.0, 160.0)
    assert everything.stretch(0.0, 100_000.0) == (0.0, 100_800.0)
    assert minute.stretch(100.0, 104.0) == (100.0, 110.0)
    assert minute.stretch(100.0, 401.0) == minute.stretch(100.0, 409.0) == (350.0, 410.0)


def test_a_sparkline_ends_now_and_is_blank_before_its_series_began() -> None:
    series = Series()
    for second in range(30):
        series.add(float(second), 100.0 if second >= 20 else 0.0)
    assert sparkline(series, 100.0, 29.5, TIME_RANGES[2], 30) == " " * 15 + "▁" * 10 + "█" * 5
    assert sparkline(series, 100.0, 29.5, TIME_RANGES[0], 10) == "    ▁▁▁▁██"


def test_who_is_throttled_and_why_is_said_in_full() -> None:
    samples = [gpu_sample(index, 8) for index in (0, 1, 2)]
    held = [replace(sample, throttle=("thermal (hardware)",)) for sample in (samples[0], samples[2])]
    assert throttled_gpus(samples) == "1 power cap, thermal (software)"
    assert throttled_gpus([*held, samples[1]]) == "0, 2 thermal (hardware); 1 power cap, thermal (software)"


@pytest.mark.parametrize("width", [17, 24, 38, 58, 78, 104, 160])
def test_a_throttled_gpu_is_marked_at_any_width(width: int) -> None:
    held, free = gpu_sample(1, 2), gpu_sample(2, 8)
    lines = [gpu_strips([sample], width, 4).plain for sample in (held, free)]
    assert ("power cap" if width >= 38 else "!") in lines[0]
    assert "!" not in lines[1] and "power cap" not in lines[1]


@pytest.mark.parametrize(("width", "height"), [(38, 6), (60, 10), (100, 20)])
def test_sixteen_ranks_fit_their_panel(width: int, height: int) -> None:
    pace = Paces({rank: 0.02 + 0.01 * (rank == 11) for rank in range(16)}, straggler=11, behind=0.5)
    lines = lines_of(rank_bars(pace, width, height))
    assert len(lines) <= max(height, 8) and all(len(line) <= width for line in lines)
    assert "11! 30.0 ms" in " ".join(" ".join(lines).split())
    assert rank_title(pace).startswith("Straggler: rank 11, 50.0% slower")
