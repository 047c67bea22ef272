"""Learning curves and the strips of windows."""

import re

import pytest
from building.recorded import recorded_session
from driving.rendered import lines_of
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.tui.render.curves import PLOT_HEIGHT, curves
from gpubench_tui.tui.terminal.ascii import to_ascii
from msgspec.structs import replace


@pytest.mark.parametrize("width", [58, 78, 118, 198])
@pytest.mark.parametrize("epochs", [0, 6])
def test_curves_fit_and_name_their_runs(epochs: int, width: int) -> None:
    state = recorded_session(2, epochs=epochs)
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
    lines = lines_of(curves(analyse(recorded_session(8)), 78, True))
    strip = next(line for line in lines if line.startswith("dp x2")).split()[2]
    assert len(strip) == 6 and set(strip) <= set("▁▂▃▄▅▆▇█")
    assert lines[-1] == "Strips span ±2.0% around the run's median."


def test_runs_that_never_began_leave_the_unit_of_the_others_alone() -> None:
    state = recorded_session(2, until=4.0)
    for run in state.runs.values():
        for rank in run.ranks.values():
            rank.unit = "images" if run.complete_windows else "samples"
    assert any(run.complete_windows for run in state.runs.values())
    assert "images/s, window by window" in curves(analyse(state), 78, True).plain


def test_curves_of_nothing_say_so() -> None:
    assert "No run has measured" in curves(analyse(recorded_session(2, until=1.0)), 78, True).plain


@pytest.mark.parametrize("epochs", [2, 3, 6, 13, 40])
def test_epochs_are_whole_and_accuracy_stays_within_its_range(epochs: int) -> None:
    """Ticks of half an epoch would round to the same number twice."""
    lines = lines_of(curves(analyse(recorded_session(2, epochs=epochs)), 78, True))
    title = lines.index("test accuracy over epochs")
    ticks = [int(word) for word in lines[title + PLOT_HEIGHT].split()]
    assert ticks == sorted(set(ticks)) and ticks[0] == 1
    shares = [float(share) for line in lines[title:] for share in re.findall(r"^ *(-?[\d.]+)%", line)]
    assert shares and 0 <= min(shares) <= max(shares) <= 100


def test_points_far_beyond_the_axes_of_a_damaged_record_are_drawn_at_their_ends() -> None:
    """Plotext ends the process where a line has more cells than there is memory."""
    folded = recorded_session(2, epochs=3)
    for run in folded.runs.values():
        for evaluations in run.evaluations.values():
            evaluations[0] = replace(evaluations[0], test_accuracy=1e12)
    drawn = curves(analyse(folded), 78, True).plain
    assert "test accuracy over epochs" in drawn and "100%" in drawn
