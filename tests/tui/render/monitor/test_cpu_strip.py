"""The strip of the cores."""

import pytest
from building.recorded import GIB
from driving.rendered import lines_of
from gpubench_tui.engine.host.facts import CpuSample
from gpubench_tui.tui.render.monitor.cpu_strip import cpu_strip


@pytest.mark.parametrize("cores", [1, 2, 64, 256])
def test_all_cores_fit_the_width(cores: int) -> None:
    sample = CpuSample((50.0,) * cores, GIB, 2 * GIB, 100.0, GIB)
    lines = lines_of(cpu_strip(sample, 78))
    assert len(lines) == 2
    assert all(len(line) <= 78 for line in lines)
    assert f"50% of {cores} cores" in lines[0]
    assert "session 1.0 cores 1.0 GiB" in lines[1]
