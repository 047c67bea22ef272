"""The table of results, and every other part of the results page in any width."""

from pathlib import Path

import pytest
from building.recorded import recorded_session
from driving.rendered import lines_of, shown
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.tui.render.communication import communication_table
from gpubench_tui.tui.render.devices import devices_table
from gpubench_tui.tui.render.drawing.grid import wrapped
from gpubench_tui.tui.render.phases import phase_bars
from gpubench_tui.tui.render.published import published_figures
from gpubench_tui.tui.render.results_table import results_remarks, results_table


@pytest.mark.parametrize("width", [60, 78, 118, 198])
@pytest.mark.parametrize(("gpus", "epochs"), [(0, 0), (2, 6), (8, 0), (16, 0)])
def test_the_table_fits_and_never_loses_the_speedup(gpus: int, epochs: int, width: int) -> None:
    lines = lines_of(results_table(analyse(recorded_session(gpus, epochs=epochs)).results, width))
    assert all(len(line) <= width for line in lines)
    for title in ("mode", "devices", "samples/s", "speedup"):
        assert title in lines[0]
    assert "1.00x" in lines[1]


def test_a_wide_table_shows_every_column() -> None:
    header = lines_of(results_table(analyse(recorded_session(2, epochs=6)).results, 118))[0].split("  ")
    titles = [title.strip() for title in header if title.strip()]
    places = ["mode", "devices", "batch"]
    figures = ["samples/s", "per device", "step, ms", "speedup", "95% interval", "efficiency", "peak, GiB"]
    assert titles == [*places, *figures, "accuracy"]


def test_runs_without_figures_say_why() -> None:
    found = analyse(recorded_session(2, fail="02")).results
    table = lines_of(results_table(found, 78))
    assert table[2].startswith("✗ dp") and "failed" in table[2]
    assert "skipped" in table[3]
    said = results_remarks(found, Path("/sessions/one"), 200).plain
    assert "dp x2: failed" in said and "CUDA ran out of memory at batch 128" in said
    assert "dp x4: skipped: needs 4 GPUs, 2 present" in said


@pytest.mark.parametrize("width", [58, 78, 118, 198])
@pytest.mark.parametrize("gpus", [0, 2, 8])
def test_every_part_of_the_results_fits_its_width(gpus: int, width: int) -> None:
    state = recorded_session(gpus)
    for part in (phase_bars, communication_table, devices_table):
        lines = shown(part, state, width)
        assert all(len(line) <= width for line in lines), "\n".join(lines)
    assert all(len(line) <= width for line in lines_of(published_figures(analyse(state), width)))


@pytest.mark.parametrize("over", [False, True])
def test_parts_that_are_empty_say_why(over: bool) -> None:
    state = recorded_session(2, until=2.0)
    why = "No run reached this:" if over else "No run has reached this yet"
    for part in (phase_bars, communication_table, devices_table):
        assert why in "\n".join(shown(part, state, over=over))


def test_a_paragraph_keeps_its_words_and_its_width() -> None:
    text = "the quick brown fox jumps over the lazy dog again and again"
    content = wrapped(text, 24, "bold", indent=2, lead="why: ")
    assert all(len(line) <= 24 for line in lines_of(content))
    assert " ".join(content.plain.split()) == f"why: {text}"
