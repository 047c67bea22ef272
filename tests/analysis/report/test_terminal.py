"""Results as a table in the terminal."""

import re

import pytest
from building.demo import EVENTS
from building.sessions import (
    measured,
    opening,
    session,
    spec,
)
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.report.columns import FIXED
from gpubench_tui.engine.analysis.report.terminal import terminal_report
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.session import Session


@pytest.fixture(scope="module")
def demo() -> Session:
    return session(EVENTS)


TITLES = ["workload", "mode", *(column.title for column in FIXED), "gain", "accuracy"]


@pytest.mark.parametrize("width", [200, 120, 100, 80, 72])
def test_the_table_fits_the_terminal(demo: Session, width: int) -> None:
    lines = terminal_report(analyse(demo), width).splitlines()
    assert max(map(len, lines)) <= width
    titles = next(line for line in lines if line.startswith("workload"))
    for title in ("mode", "devices", "samples/s", "speedup", "efficiency"):
        assert title in titles


def test_where_space_is_short_the_least_important_columns_go(demo: Session) -> None:
    analysis = analyse(demo)

    def shown(width: int) -> list[str]:
        line = next(
            line for line in terminal_report(analysis, width).splitlines() if line.startswith("workload")
        )
        return [title for title in TITLES if re.search(rf"(?:^| ){title}(?: |$)", line)]

    widest = shown(200)
    assert widest[0] == "workload"
    assert {"per device", "peak, GiB", "step, ms", "batch", "accuracy"} <= set(widest)
    assert "per device" not in shown(110)
    assert shown(1) == ["workload", "mode", "samples/s"]
    previous = set(widest)
    for width in range(200, 1, -1):
        titles = set(shown(width))
        assert titles <= previous
        previous = titles


def test_a_batch_that_alone_tells_runs_apart_stays() -> None:
    specs = [spec(f"b{b}", "single", workloads=[Workload(name="cnn", batch=b)]) for b in (32, 128)]
    folded = session(opening(*specs), measured("b32", [[1.0, 1.0]]), measured("b128", [[1.0, 1.0]]))
    grid = terminal_report(analyse(folded), 30).splitlines()
    assert any("batch" in line and "samples/s" in line for line in grid)
