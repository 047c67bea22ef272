"""Published figures beside measured ones."""

from building.recorded import recorded_session
from driving.rendered import lines_of, row
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.tui.render.published import published_figures


def test_published_figures_are_marked_and_stand_beside_ones_own() -> None:
    state = recorded_session(2)
    lines = lines_of(published_figures(analyse(state), 78))
    assert lines[0] == "A study of scaling, published, on 8 x NVIDIA V100:"
    assert row(lines, "ddp x2") == "ddp x2 speedup 1.80x 1.92x derived"
    assert row(lines, "single x1") == "single x1 throughput 2,900 samples/s 6,404 samples/s measured"
    assert "One seed only." in lines
