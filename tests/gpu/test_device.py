"""What NVML says of the GPU against what torch says, and what it says while the GPU works."""

from __future__ import annotations

import pytest

from .conftest import Note, Parts

pytestmark = pytest.mark.usefixtures("gpu")
FIRST_PID_NAMESPACE = "pid:[4026531836]"


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
