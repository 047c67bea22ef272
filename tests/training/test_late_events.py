"""A rank from its first event to its last on CUDA events, which are reached later than they are recorded."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from gpubench_tui.engine.plan.preset.preset import Measure, Mode
from gpubench_tui.engine.plan.workload.workload import Workload
from gpubench_tui.engine.record.events import (
    BandwidthMeasured,
    Breakdown,
    CommunicationMeasured,
    ComputeMeasured,
    MetricsLost,
    RankFinished,
    Steps,
    Window,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("mode", "devices", "epochs"), [("single", 1, 0), ("ddp", 2, 2), ("fsdp", 1, 0), ("concurrent", 2, 0)]
)
def test_a_rank_reads_only_events_that_are_reached_and_its_own(
    mode: Mode, devices: int, epochs: int, ranks: ModuleType, tmp_path: Path
) -> None:
    workload = Workload(model="lenet", images=400, batch=20, learning_rate=0.02)
    measure = Measure(
        epochs=epochs, windows=2, window_seconds=0.1, seconds=0.2, target=0, warmup_steps=2, detail=6
    )
    run = ranks.cpu_run(mode, devices, workload, measure)
    done = ranks.launch(run, tmp_path, worker="late_events:work")
    assert not done.failed, done.log.read_text()
    for rank in range(devices):
        (finished,) = done.of(RankFinished, rank)
        assert finished.detail_trouble == ""
        assert not done.of(MetricsLost, rank)
        told = done.of(Steps, rank)
        assert sum(len(steps.loss) for steps in told) == finished.steps
        assert None not in [loss for steps in told for loss in steps.loss]
        # The steps of a window begin on an idle device and fill it, but for the device's being late.
        seconds = sum(second for steps in told for second in steps.seconds)
        assert seconds >= 0.5 * sum(window.seconds for window in done.of(Window, rank))
        (breakdown,) = done.of(Breakdown, rank)
        assert len(breakdown.step) == 6
        assert min(breakdown.step) > 0
        assert done.of(ComputeMeasured, rank)[0].peak_flop_per_second
    if mode == "ddp":
        assert all(done.of(CommunicationMeasured, rank)[0].buckets for rank in (0, 1))
        assert done.of(BandwidthMeasured)
