"""Each GPU of a run while it was measured."""

import pytest
from building.sessions import GIB, measured, opening, session, spec
from gpubench_tui.engine.analysis.analysis import analyse
from gpubench_tui.engine.analysis.export import json, markdown
from gpubench_tui.engine.host.facts import CpuSample, GpuSample
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.record.events import Sampled
from gpubench_tui.engine.record.session import Session
from msgspec.structs import replace

GPUS = tuple(Device(kind="cuda", index=index, name="NVIDIA L4", uuid=f"GPU-{index}") for index in (4, 6))
QUIET = CpuSample((10.0,), GIB, 8 * GIB, 40.0, GIB)


def sampled(at: float) -> Sampled:
    """GPU 4 works from 2 to 5 s and is hot afterwards; GPU 6 says nothing but its memory."""
    at_work = 2 <= at <= 5
    busy = GpuSample(
        4,
        utilization=95.0 if at_work else 0.0,
        memory_used_bytes=3 * GIB if at_work else 9 * GIB,
        power_watts=70.0 if at_work else 20.0,
        sm_clock_mhz=2000.0 if at_work else 300.0,
        temperature=60.0 if at_work else 80.0,
    )
    return Sampled(at=at, gpus=[busy, GpuSample(6, memory_used_bytes=GIB)], cpu=QUIET)


@pytest.fixture
def folded() -> Session:
    ddp = spec("ddp", "ddp", 2, on=GPUS)
    windows = measured("ddp", [[0.5, 1.0, 1.0, 1.0]] * 2)  # from 1.5 to 5 s
    return session(opening(ddp), windows, [sampled(at / 2 + 0.1) for at in range(120)])


def test_only_what_was_seen_while_windows_were_measured_counts(folded: Session) -> None:
    first, second = analyse(folded).results[0].gpus
    assert (first.index, second.index) == (4, 6)
    assert first.busy == pytest.approx(0.95 * 6 / 7)
    assert (first.temperature, first.allocated_bytes, second.allocated_bytes) == (80.0, GIB, 2 * GIB)
    assert (second.busy, second.power_watts, second.used_bytes) == (None, None, GIB)


def test_the_report_has_a_row_for_each_gpu_and_how_busy_it_was_over_time(folded: Session) -> None:
    text = markdown(analyse(folded))
    rows = [line for line in text.splitlines() if line.startswith("| ddp x2 |")]
    assert any("| 6 |" in " ".join(row.split()) and "n/a" in row for row in rows)
    (timeline,) = (line for line in text.splitlines() if line.startswith("GPU 4 "))
    assert timeline.removeprefix("GPU 4 ").lstrip("0").startswith("999")
    assert set(timeline.removeprefix("GPU 4 ")) == {"0", "9"}
    assert '"gpus"' in json(analyse(folded))


def test_without_a_gpu_there_is_nothing_to_say() -> None:
    alone = session(opening(spec("single", "single")), measured("single", [[1.0] * 5]))
    assert analyse(alone).results[0].gpus == ()
    assert "Per-GPU" not in markdown(analyse(alone))


def test_data_parallel_has_its_peak_on_each_gpu() -> None:
    events = measured("dp", [[1.0] * 5])
    events[-3] = replace(events[-3], peak_memory_bytes=[3 * GIB, GIB])
    folded = session(opening(spec("dp", "dp", 2, on=GPUS)), events)
    assert [use.allocated_bytes for use in analyse(folded).results[0].gpus] == [3 * GIB, GIB]
