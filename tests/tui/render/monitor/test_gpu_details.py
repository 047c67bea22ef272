"""The GPUs in full, in the enlarged panel."""

from __future__ import annotations

import pytest
from building.recorded import gpu_sample
from driving.rendered import lines_of, row
from gpubench_tui.engine.host.facts import GpuProcess, GpuSample
from gpubench_tui.engine.record.history import GpuHistory
from gpubench_tui.tui.render.monitor.gpu_details import gpu_details
from gpubench_tui.tui.render.monitor.gpu_strip import GpuPast, gpu_strips
from gpubench_tui.tui.render.monitor.load import fullness_style, heat_style, load_style
from gpubench_tui.tui.render.monitor.time_range import TIME_RANGES
from msgspec.structs import replace

SECONDS = 60


def past(samples: list[GpuSample]) -> GpuPast:
    """A minute in which the load of each GPU rose to what its sample says."""
    gpus = {}
    for sample in samples:
        gpus[sample.index] = history = GpuHistory(sample)
        for second in range(1, SECONDS + 1):
            load = sample.utilization and sample.utilization * second / SECONDS
            history.add(second, replace(sample, utilization=load))
    return GpuPast(gpus, SECONDS, TIME_RANGES[0])


@pytest.mark.parametrize(("width", "height"), [(78, 21), (118, 36), (198, 46)])
@pytest.mark.parametrize("gpus", [1, 2, 8, 16])
def test_every_figure_of_every_gpu_is_there_within_the_width(gpus: int, width: int, height: int) -> None:
    samples = [gpu_sample(index, gpus) for index in range(gpus)]
    lines = lines_of(gpu_details(past(samples), {}, width, height))
    text = "\n".join(lines)
    assert all(len(line) <= width for line in lines)
    for label in ("load", "memory", "temperature", "power", "clock", "PCIe in", "PCIe out", "uncorrected"):
        assert sum(line.count(label.ljust(11)) for line in lines) == gpus, label
    for sample in samples:
        assert f"GPU {sample.index} " in text
    if gpus <= 2:
        assert len(lines) <= max(height, 40)  # no more than a page where there are few


def test_processes_are_listed_with_users_and_ranks() -> None:
    mine, other = gpu_sample(0, 2), gpu_sample(1, 2)
    shared = replace(other, processes=(*(other.processes or ()), GpuProcess(77, "jupyter", 3 << 29, "bob")))
    lines = lines_of(gpu_details(past([mine, shared]), {5001: "rank 1 of ddp x2"}, 118, 36))
    assert row(lines, "  0   5000") == "0 5000 anna 70.0 GiB 97% python"
    assert row(lines, "  1   5001") == "1 5001 anna 71.0 GiB 97% python rank 1 of ddp x2"
    assert row(lines, "  1     77") == "1 77 bob 1.5 GiB n/a jupyter"


def test_what_is_not_told_is_na_and_a_lost_gpu_keeps_its_history() -> None:
    bare = lines_of(gpu_details(past([GpuSample(0)]), {}, 78, 21))
    assert "processes n/a" in bare
    assert row(bare, "uncorrected") == "uncorrected n/a"
    gone = past([gpu_sample(0, 1)])
    gone.gpus[0].add(SECONDS + 1, GpuSample(0, lost=True))
    lines = lines_of(gpu_details(gone, {}, 78, 21))
    assert "GPU 0  lost: no longer answers" in "\n".join(lines)
    assert "█" in row(lines, "load") and "n/a" in row(lines, "load")


def test_the_curves_are_higher_where_there_is_room() -> None:
    one = past([gpu_sample(0, 1)])
    low, high = (lines_of(gpu_details(one, {}, 118, height)) for height in (15, 60))
    assert len(low) < len(high) <= 60
    # A load that rose steadily fills its curve from the lower right.
    top = next(number for number, line in enumerate(high) if line.startswith("load "))
    filled = [high[top + offset].rstrip().count("█") for offset in range(4)]
    assert filled == sorted(filled) and filled[0] < filled[-1]


@pytest.mark.parametrize(
    ("load", "memory", "celsius", "styles"),
    [
        (3.0, 10, 40.0, ("$muted", "", "")),
        (50.0, 130, 88.0, ("$primary", "$text-warning", "$text-warning")),
        (97.0, 139.9, 97.0, ("$success", "$text-error", "$text-error")),
    ],
)
def test_load_fullness_and_heat_are_seen_by_colour(
    load: float, memory: float, celsius: float, styles: tuple[str, str, str]
) -> None:
    assert (load_style(load / 100), fullness_style(memory / 140), heat_style(celsius)) == styles
    sample = replace(
        gpu_sample(0, 1), utilization=load, memory_used_bytes=int(memory * 2**30), temperature=celsius
    )
    strip = gpu_strips([sample], 118, 4)
    used = {str(span.style) for span in strip.spans}
    assert used >= set(filter(None, styles))
