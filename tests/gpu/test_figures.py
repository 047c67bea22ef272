"""Figures of all measured runs: time, memory, energy and arithmetic."""

from __future__ import annotations

import pytest

from .conftest import Note
from .machine import Machine
from .recorded import RecordedSession

pytestmark = pytest.mark.usefixtures("gpu")


def test_the_parts_of_a_step_add_up(session: RecordedSession, note: Note) -> None:
    shares = {
        run.result.label: run.result.phases.shares["unaccounted"]
        for run in session.measured
        if run.result.phases is not None
    }
    note(f"at most {100 * max(map(abs, shares.values())):.1f}% unaccounted")
    assert {label: share for label, share in shares.items() if abs(share) >= 0.05} == {}


def test_a_step_that_is_looked_at_takes_as_long_as_one_that_is_not(
    session: RecordedSession, note: Note
) -> None:
    differences = {
        run.result.label: run.result.phases.difference
        for run in session.measured
        if run.result.phases is not None and run.result.phases.difference is not None
    }
    note(f"at most {100 * max(map(abs, differences.values())):.1f}% apart")
    assert {label: share for label, share in differences.items() if abs(share) >= 0.15} == {}


def test_allocated_memory_is_within_the_reserved_and_that_within_the_gpus(
    session: RecordedSession, machine: Machine
) -> None:
    whole = min(gpu.memory_bytes or 0 for gpu in machine.host.gpus)
    for run in session.measured:
        for rank in run.state.ranks.values():
            done = rank.measured
            assert done is not None
            for allocated, reserved in zip(done.peak_memory_bytes, done.peak_reserved_bytes, strict=True):
                assert 0 < (allocated or 0) <= (reserved or 0) < whole, run.result.label


def test_every_run_counts_its_energy(session: RecordedSession, note: Note) -> None:
    joules = {run.result.label: run.joules for run in session.measured}
    note(", ".join(f"{label} {value:.0f} J" for label, value in joules.items()))
    assert {label: value for label, value in joules.items() if value < 10} == {}


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_the_measured_peak_is_that_of_the_datasheet(
    session: RecordedSession, precision: str, note: Note
) -> None:
    compute = session[f"single-{precision}"].result.compute
    assert compute is not None
    assert compute.peak_flop_per_second is not None
    note(f"{precision} {compute.peak_flop_per_second / 1e12:.0f} TFLOP/s")
    if compute.datasheet_flop_per_second is None:
        pytest.skip("no datasheet of this GPU is known")
    assert 0.4 < compute.peak_flop_per_second / compute.datasheet_flop_per_second < 1.05


def test_model_flop_utilisation_is_between_0_and_1(session: RecordedSession, note: Note) -> None:
    shares = {
        run.result.label: run.result.compute.mfu
        for run in session.measured
        if run.result.compute is not None and run.result.compute.mfu is not None
    }
    note(", ".join(f"{label} {100 * share:.1f}%" for label, share in shares.items()))
    assert shares
    assert all(0 < share < 1 for share in shares.values())


def test_tf32_is_faster_than_fp32_and_bf16_faster_than_tf32(session: RecordedSession, note: Note) -> None:
    fp32, tf32, bf16 = (
        session[f"single-{precision}"].result.throughput or 0 for precision in ("fp32", "tf32", "bf16")
    )
    note(f"{fp32:,.0f}, {tf32:,.0f} and {bf16:,.0f} samples/s")
    assert 1.1 * fp32 < tf32 < bf16
