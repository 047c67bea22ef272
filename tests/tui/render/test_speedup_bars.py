"""The bars of speedup and of gain."""

import math
import re

import pytest
from building.recorded import recorded_session
from driving.rendered import lines_of
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.tui.render.speedup_bars import speedup_bars
from msgspec.structs import replace


@pytest.mark.parametrize("width", [46, 58, 78, 118, 198])
@pytest.mark.parametrize("gpus", [1, 2, 8, 16])
def test_a_speedup_bar_ends_where_its_share_of_the_ideal_does(gpus: int, width: int) -> None:
    lines = lines_of(speedup_bars(analyse(recorded_session(gpus)).results, width))
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
    found = analyse(recorded_session(2)).results
    faster = [replace(each, speedup=2.5, efficiency=1.25) if each.mode == "ddp" else each for each in found]
    bar = next(line for line in lines_of(speedup_bars(faster, 78)) if line.startswith("ddp"))
    assert re.search("█│█+ +2.50x of 2 ", bar)


def test_runs_that_differ_in_batch_alone_have_bars_without_an_ideal() -> None:
    found = [replace(each, efficiency=None) for each in analyse(recorded_session(2)).results]
    text = speedup_bars(found, 78).plain
    assert "█ speedup" in text and "ideal" not in text and "│" not in text


def test_a_gain_is_never_called_a_speedup() -> None:
    gain = [
        replace(each, speedup=None, concurrency_gain=1.6)
        for each in analyse(recorded_session(2)).results
        if each.windows
    ]
    text = speedup_bars(gain[1:2], 78).plain
    assert "█ concurrency gain  │ ideal" in text and "1.60x of 2" in text and "speedup" not in text


def test_without_anything_to_compare_the_bars_say_so() -> None:
    found = analyse(recorded_session(2, fail="0")).results
    assert "Nothing to compare" in speedup_bars(found, 78).plain
    found = [replace(each, speedup=None, state="waiting") for each in found]
    assert "Nothing yet" in speedup_bars(found, 78).plain
