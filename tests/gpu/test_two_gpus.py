"""Claims that only two GPUs can confirm."""

from __future__ import annotations

import pytest

from .conftest import Note
from .recorded import RecordedSession

pytestmark = pytest.mark.usefixtures("gpus")


def test_nccl_connects_the_ranks_of_two_gpus(session: RecordedSession, note: Note) -> None:
    for label in ("ddp2", "fsdp2"):
        run = session[label]
        run.assert_trained()
        note(f"NCCL {run.state.ranks[0].settings['nccl']}")
    assert session["ddp2"].result.replicas_equal is True


def test_dataparallel_over_two_gpus_listens_on_loopback_only(session: RecordedSession) -> None:
    run = session["dp2"]
    run.assert_trained()
    assert session.listened_during(run) == set()


def test_the_clocks_of_two_gpus_are_tied_within_50_us(session: RecordedSession, note: Note) -> None:
    said = [rank.communication for rank in session["ddp2"].state.ranks.values()]
    errors = [each.clock_error for each in said if each is not None]
    note(", ".join(f"{1e6 * error:.1f} us" for error in errors))
    assert len(errors) == 2
    assert 0 < max(errors) < 50e-6


def test_waits_for_a_bucket_are_those_beyond_the_error_of_the_clocks(
    session: RecordedSession, note: Note
) -> None:
    run = session["ddp2"]
    said = [rank.communication for rank in run.state.ranks.values()]
    error = sum(each.clock_error for each in said if each is not None)
    assert run.result.communication is not None
    waits = [wait for bucket in run.result.communication.buckets for wait in bucket.waits.values()]
    note(f"{len(waits)} waits, at most {1e6 * max(waits, default=0.0):.0f} us")
    assert all(error <= wait < (run.result.step_seconds or 0) for wait in waits)


def test_no_bucket_travels_faster_than_the_link_alone(session: RecordedSession, note: Note) -> None:
    found = session["ddp2"].result.communication
    assert found is not None
    shares = [bucket.utilisation for bucket in found.buckets if bucket.utilisation is not None]
    note(", ".join(f"{100 * share:.0f}%" for share in shares))
    assert shares
    assert all(0 < share < 1.1 for share in shares)


def test_bus_bandwidth_reaches_half_of_the_link(session: RecordedSession, note: Note) -> None:
    found = session["ddp2"].result.communication
    assert found is not None
    best = found.curves["all_reduce"].best_busbw
    note(f"{best / 1e9:.1f} GB/s over {found.link}")
    if found.link_bandwidth is None:
        pytest.skip("the rate of the link is not known")
    assert 0.5 < best / found.link_bandwidth < 1.05


def test_fsdp_over_two_gpus_halves_the_memory_of_a_replica(session: RecordedSession, note: Note) -> None:
    replica = session["ddp2-wide"].result.peak_memory_bytes
    shards = session["fsdp2-wide"].result.peak_memory_bytes
    assert replica is not None
    assert shards is not None
    note(f"{shards >> 20} of {replica >> 20} MiB")
    assert shards < 0.65 * replica
