"""What only two GPUs can show."""

from __future__ import annotations

import json

import pytest

from .conftest import Note
from .machine import Machine
from .recorded import RecordedSession

pytestmark = pytest.mark.usefixtures("gpus")

PEERS = """
import json, torch
count = torch.cuda.device_count()
pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
print(json.dumps([[a, b, torch.cuda.can_device_access_peer(a, b)] for a, b in pairs]))
"""


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


def test_peer_access_is_as_torch_says(machine: Machine, note: Note) -> None:
    done = machine.run(["-P", "-c", PEERS], "peer access", 60, CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert done.returncode == 0, done.stderr
    by_torch = {(a, b): access for a, b, access in json.loads(done.stdout)}
    order = {gpu.index: position for position, gpu in enumerate(machine.host.gpus)}
    by_nvml = {(order[link.a], order[link.b]): link.peer_access for link in machine.host.links}
    note(", ".join(sorted({link.kind for link in machine.host.links})))
    assert by_nvml == by_torch


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
