"""A long plan on a server with many GPUs stays within the usual limit of open files."""

from __future__ import annotations

import psutil
import pytest
from gpubench_tui.engine.conductor.control import skip_run
from gpubench_tui.engine.record.events import Steps

from .conftest import Start, run_spec

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nursery")]


def test_runs_leave_no_descriptor_open(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCOLLECTED", "1")
    first, last = "00-work_on", "04-work_on"
    behaving = [run_spec(number, "behave") for number in (1, 2, 3)]
    session = start(run_spec(0, "work_on", ranks=1), *behaving, run_spec(4, "work_on", ranks=1))
    counts = []
    for run in (first, last):
        session.until(lambda event, run=run: isinstance(event, Steps) and event.run == run)
        counts.append(psutil.Process(session.process.pid).num_fds())
        assert skip_run(session.folder)
    assert session.wait() == 0
    assert counts[0] == counts[1]
