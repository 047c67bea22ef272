"""The bars of how long each rank takes for a step."""

import pytest
from driving.rendered import lines_of
from gpubench_tui.engine.analysis.diagnosis.stragglers import Paces
from gpubench_tui.tui.render.monitor.rank_bars import rank_bars, rank_title


@pytest.mark.parametrize(("width", "height"), [(38, 6), (60, 10), (100, 20)])
def test_sixteen_ranks_fit_their_panel(width: int, height: int) -> None:
    pace = Paces({rank: 0.02 + 0.01 * (rank == 11) for rank in range(16)}, straggler=11, behind=0.5)
    lines = lines_of(rank_bars(pace, width, height))
    assert len(lines) <= max(height, 8) and all(len(line) <= width for line in lines)
    assert "11! 30.0 ms" in " ".join(" ".join(lines).split())
    assert rank_title(pace).startswith("Straggler: rank 11, 50.0% slower")
