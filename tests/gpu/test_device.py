"""NVML against torch, and NVML while the GPU works."""

from __future__ import annotations

import json

import pytest

from .conftest import Note, Parts
from .machine import Machine

pytestmark = pytest.mark.usefixtures("gpu")
FIRST_PID_NAMESPACE = "pid:[4026531836]"
PEERS = """
import json, torch
count = torch.cuda.device_count()
pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
print(json.dumps([[a, b, torch.cuda.can_device_access_peer(a, b)] for a, b in pairs]))
"""


def test_nvml_and_torch_name_the_same_gpu(parts: Parts) -> None:
    facts = parts["identity"]
    assert facts["torch"]["uuid"] in facts["nvml"]["uuid"]


def test_nvml_and_torch_agree_on_memory_and_compute_capability(parts: Parts) -> None:
    nvml, torch = parts["identity"]["nvml"], parts["identity"]["torch"]
    assert nvml["capability"] == torch["capability"]
    assert nvml["memory"] == pytest.approx(torch["memory"], rel=0.03)


def test_nvml_tells_utilisation_power_temperature_clocks_throttling_and_pcie(
    parts: Parts, note: Note
) -> None:
    facts = parts["telemetry"]
    note(", ".join(f"{name} {value}" for name, value in facts["sample"].items()))
    assert facts["missing"] == []
    assert [name for name, value in facts["sample"].items() if value is None] == []


def test_the_energy_counter_agrees_with_the_power_drawn(parts: Parts, note: Note) -> None:
    facts = parts["telemetry"]
    note(f"{facts['watts_by_energy']:.0f} W by energy, {facts['watts_by_power']:.0f} W by power")
    assert facts["watts_by_energy"] == pytest.approx(facts["watts_by_power"], rel=0.3)


def test_nvml_lists_the_processes_on_the_gpu(parts: Parts) -> None:
    facts = parts["telemetry"]
    if facts["pid_namespace"] != FIRST_PID_NAMESPACE:
        pytest.skip("process ids differ within a container")
    assert facts["pid"] in facts["pids"]


@pytest.mark.usefixtures("gpus")
def test_peer_access_is_as_torch_says(machine: Machine, note: Note) -> None:
    done = machine.run(["-P", "-c", PEERS], "peer access", 60, CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert done.returncode == 0, done.stderr
    by_torch = {(a, b): access for a, b, access in json.loads(done.stdout)}
    order = {gpu.index: position for position, gpu in enumerate(machine.host.gpus)}
    by_nvml = {(order[link.a], order[link.b]): link.peer_access for link in machine.host.links}
    note(", ".join(sorted({link.kind for link in machine.host.links})))
    assert by_nvml == by_torch
