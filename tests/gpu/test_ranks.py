"""Communication of two devices, or of one GPU with itself, and its cost."""

from __future__ import annotations

import pytest

from .conftest import Note
from .recorded import RecordedSession


def test_buckets_hold_the_gradients_of_all_weights(session: RecordedSession, note: Note) -> None:
    result = session["ddp2"].result
    assert result.communication is not None
    buckets = result.communication.buckets
    note(", ".join(f"{bucket.bytes} B in {1e3 * bucket.transfer_seconds:.3f} ms" for bucket in buckets))
    assert buckets
    assert result.communication.bytes_per_step == 4 * (result.parameters or 0)


def test_the_cost_of_synchronising_is_measured_with_its_overlap(session: RecordedSession, note: Note) -> None:
    found = session["ddp2"].result.communication
    assert found is not None
    assert found.sync_cost is not None
    assert found.exposed_seconds is not None
    assert found.overlap is not None
    note(
        f"{1e3 * found.sync_cost.value:.3f} ms a step, exposed {1e3 * found.exposed_seconds:.3f} ms, "
        f"overlap {100 * found.overlap:.0f}%"
    )
    assert found.curves


def test_replicas_end_with_equal_weights(session: RecordedSession) -> None:
    assert session["ddp2"].result.replicas_equal is True


def test_copying_gradients_back_is_a_part_of_a_step(session: RecordedSession, note: Note) -> None:
    found = session["ddp2"].result.phases
    assert found is not None
    note(f"{1e3 * found.seconds['copying']:.3f} of {1e3 * found.step_seconds:.3f} ms")
    assert 0 < found.seconds["copying"] < 0.5 * found.step_seconds


@pytest.mark.parametrize("label", ["dp2", "dp2-fp16"])
def test_what_dataparallel_does_besides_computing_is_timed(
    session: RecordedSession, label: str, note: Note
) -> None:
    found = session[label].result.communication
    assert found is not None
    note(", ".join(f"{name} {1e3 * seconds:.3f} ms" for name, seconds in found.exchange.items()))
    assert set(found.exchange) == {"scatter", "replicate", "gather", "reduce"}
    assert all(seconds > 0 for seconds in found.exchange.values())
    assert 0 < (found.exchange_share or 0) < 1
