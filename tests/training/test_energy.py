"""Energy counters of GPUs, as a stand-in for the driver's library tells them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.training.energy import EnergyMeter
from nvml_standin import Machine, build

STRETCHES = """
import json, os, sys
from pathlib import Path
from gpubench_tui.engine.plan.plan import Device
from gpubench_tui.engine.training.energy import EnergyMeter
uuids, steps = json.loads(sys.argv[1])
machine = Path(os.environ["NVML_STANDIN"])
always = machine.read_text()
EnergyMeter.OPENING = EnergyMeter.PATIENCE = 1.0 if "hang." in json.dumps(steps) + always else 100.0
meter = EnergyMeter([Device("cuda", i, f"GPU {i}", uuid) for i, uuid in enumerate(uuids)])
meter.open()
for number, (line, samples) in enumerate(steps):
    machine.write_text(line + "\\n" + always)
    (meter.end if number % 2 else meter.begin)(samples)
print(json.dumps([meter.joules, meter.samples]))
"""
FIRST, SECOND = (f"GPU-000000a{i}-0000-4000-8000-000000000000" for i in range(2))

Meter = Callable[..., list[object]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def meter(library: Path, tmp_path: Path) -> Meter:
    """Joules and samples after begin, end, begin, end ..., each with its line of the machine's file."""

    def meter(uuids: list[str | None], *steps: tuple[str, int], always: str = "") -> list[object]:
        machine = Machine(tmp_path / "machine", always)
        done = subprocess.run(
            [sys.executable, "-c", STRETCHES, json.dumps([uuids, steps])],
            env=machine.environment(library),
            check=True,
            capture_output=True,
            text=True,
            timeout=240,
        )
        told: list[object] = json.loads(done.stdout)
        return told

    return meter


def test_what_lies_between_stretches_is_left_out(meter: Meter) -> None:
    told = meter(
        [SECOND],
        ("gpu1.energy 5000001000", 100),
        ("gpu1.energy 5000003500", 164),
        ("gpu1.energy 5000900000", 500),
        ("gpu1.energy 5000901000", 564),
    )
    assert told == [[3.5], 128]


def test_devices_are_found_by_uuid(meter: Meter) -> None:
    swapped = f"gpu0.uuid {SECOND}\ngpu1.uuid {FIRST}"
    told = meter([FIRST, SECOND], ("energy 0", 0), ("gpu0.energy 1000\ngpu1.energy 2000", 8), always=swapped)
    assert told == [[2.0, 1.0], 8]


@pytest.mark.parametrize(
    "end",
    ["gpu0.energy NA", "gpu0.fail.all 15", "gpu0.energy 400", "fail.nvmlDeviceGetTotalEnergyConsumption 999"],
)
def test_a_counter_that_fails_says_nothing_for_the_rest(end: str, meter: Meter) -> None:
    told = meter([FIRST], ("energy 500", 0), (end, 8), ("energy 600", 8), ("energy 700", 16))
    assert told == [[None], None]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hang", "abort"])
@pytest.mark.parametrize("function", ["nvmlInitWithFlags", "nvmlDeviceGetTotalEnergyConsumption"])
def test_a_driver_that_hangs_or_aborts_costs_the_energy_only(fault: str, function: str, meter: Meter) -> None:
    broken = f"{fault}.{function} 1\nenergy 600"
    always = broken if function == "nvmlInitWithFlags" else ""
    told = meter(
        [FIRST], ("energy 500", 0), (broken, 8), ("energy 700", 8), ("energy 800", 16), always=always
    )
    assert told == [[None], None]


def test_one_device_that_counts_is_enough_for_samples(meter: Meter) -> None:
    told = meter(
        [FIRST, SECOND, "GPU-of-another-machine"], ("gpu0.energy NA\nenergy 0", 0), ("energy 9000", 8)
    )
    assert told == [[None, 9.0, None], 8]


def test_a_slice_has_no_counter_of_its_own(meter: Meter) -> None:
    slice_ = "MIG-000000b0-0000-5000-8000-000000000000"
    assert meter([slice_], ("energy 0", 0), ("energy 9000", 8)) == [[None], None]


def test_a_cpu_has_none() -> None:
    meter = EnergyMeter([Device("cpu", 0, "cpu")])
    meter.begin(0)
    meter.end(8)
    assert (meter.joules, meter.samples) == ([None], None)
