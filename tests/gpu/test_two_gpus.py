"""What only two GPUs can show."""

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
