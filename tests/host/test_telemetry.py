from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from typing import Any

import psutil
import pytest
from driving.terminal import wait_for
from gpubench_tui.engine.host.gpu.throttle import throttle_words
from nvml_standin import Machine

from .conftest import Run

SCRIPT = """
import json, os, signal, sys, time, msgspec, psutil
from pathlib import Path
from gpubench_tui.engine.host.facts import Gpu
from gpubench_tui.engine.host.gpu.driver import Driver
from gpubench_tui.engine.host.gpu.poller import GpuPoller
from gpubench_tui.engine.host.inspect import inspect_host
from gpubench_tui.engine.host.telemetry import DeviceSampler

MACHINE = Path(os.environ["NVML_STANDIN"])
GpuPoller.ROUND = 20.0  # where the driver answers, a slow machine is waited for
notes, shots = [], []

def change(*lines):
    MACHINE.with_suffix(".next").write_text("".join(line + chr(10) for line in lines))
    MACHINE.with_suffix(".next").replace(MACHINE)

def shoot():
    gpus, cpu = sampler.sample()
    notes.extend(sampler.take_notes())
    shots.append([gpus, cpu])
    return gpus

def tell(**more):
    print(msgspec.json.encode({"notes": notes, "shots": shots, **more}).decode())
"""
START = SCRIPT + "sampler = DeviceSampler(inspect_host().gpus, lambda: [os.getpid()])\n"

Record = Callable[..., dict[str, Any]]
"""Sets the machine to these lines, runs the script, and returns what it tells."""


@pytest.fixture
def record(run: Run, machine: Machine) -> Record:
    """What a script that samples this machine tells."""

    def record(lines: Sequence[str], script: str, start: str = START, status: int = 0) -> dict[str, Any]:
        machine.set(*lines)
        done = run(start + script)
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout)

    return record


def test_a_sample_of_every_gpu(record: Record) -> None:
    lines = ["count 8", "util 97", "temp 71", "reasons 0x44", "used 1024", "gpu5.util 3", "ecc_corrected 7"]
    told = record(lines, "shoot(); sampler.close(); tell()")
    gpus, _ = told["shots"][0]
    assert [gpu["index"] for gpu in gpus] == list(range(8))
    assert [gpu["utilization"] for gpu in gpus] == [97, 97, 97, 97, 97, 3, 97, 97]
    assert gpus[0] == {
        "index": 0,
        "utilization": 97,
        "memory_used_bytes": 1 << 30,
        "memory_total_bytes": 80 << 30,
        "temperature": 71,
        "power_watts": 250.5,
        "power_limit_watts": 700,
        "sm_clock_mhz": 1500,
        "sm_clock_max_mhz": 1980,
        "throttle": ["power cap", "thermal (hardware)"],
        "processes": [],
        "pcie_generation": 5,
        "pcie_width": 16,
        "pcie_sent": 2e6,
        "pcie_received": 3e6,
        "ecc_corrected": 7,
        "ecc_uncorrected": 0,
        "lost": False,
        "others_percent": None,
    }
    assert told["notes"] == []


@pytest.mark.parametrize(
    ("processes", "shares", "others"),
    [
        ("OWN:100", "OWN:90", 0),
        ("OWN:100,77:50", "OWN:60,77:30", 30),
        ("OWN:100,77:50", "OWN:60", 0),
        ("OWN:100", "OWN:60,78:5,79:2", 7),  # others draw, and compute nothing
        ("OWN:100", "NA", 0),
        ("OWN:100,77:50", "NA", None),
        ("76:100,77:50", "76:60,77:30", None),  # in a container the driver numbers ours otherwise
    ],
)
def test_the_share_of_other_programs_on_a_gpu(
    record: Record, processes: str, shares: str, others: float | None
) -> None:
    lines = ["count 2", f"gpu1.processes {processes}", f"gpu1.shares {shares}"]
    script = f"change(*[line.replace('OWN', str(os.getpid())) for line in {lines}]); shoot(); tell()"
    told = record(["count 2"], script)
    (first, second), _ = told["shots"][0]
    assert first["others_percent"] is None
    assert second["others_percent"] == others
    assert told["notes"] == []


def test_what_a_gpu_does_not_support_is_none_and_no_note(record: Record) -> None:
    keys = ("util", "temp", "power", "power_limit", "clock", "clock_max", "reasons", "total", "processes")
    keys += ("pcie_gen", "pcie_width", "pcie_tx", "pcie_rx", "ecc_corrected", "ecc_uncorrected")
    told = record(["count 2", *(f"gpu1.{key} NA" for key in keys)], "shoot(); tell()")
    (other, bare), _ = told["shots"][0]
    assert other["utilization"] == 50
    assert bare.pop("index") == 1
    assert bare.pop("lost") is False
    assert set(bare.values()) == {None}
    assert told["notes"] == []


@pytest.mark.parametrize("code", [4, 3, 13, 26, 999])
def test_no_error_of_one_function_reaches_the_others(record: Record, code: int) -> None:
    told = record(["count 1", f"fail.nvmlDeviceGetPowerUsage {code}"], "shoot(); shoot(); tell()")
    for gpus, _ in told["shots"]:
        assert gpus[0]["power_watts"] is None
        assert gpus[0]["utilization"] == 50
    assert len(told["notes"]) == (code == 13)  # a missing function is said, once


def test_throttle_reasons_of_a_driver_with_the_older_name(record: Record) -> None:
    lines = ["count 1", "reasons 0x80", "fail.nvmlDeviceGetCurrentClocksEventReasons 13"]
    told = record(lines, "shoot(); tell()")
    assert told["shots"][0][0][0]["throttle"] == ["power brake"]
    assert told["notes"] == []


@pytest.mark.parametrize("code", [15, 16, 999])
def test_a_gpu_lost_midway_and_its_return_are_said_and_the_others_go_on(record: Record, code: int) -> None:
    told = record(
        ["count 3"],
        f"shoot(); change('count 3', 'gpu1.fail.all {code}'); shoot(); shoot(); change('count 3'); shoot(); "
        "sampler.close(); tell()",
    )
    before, after, later, back = (gpus for gpus, _ in told["shots"])
    assert not any(gpu["lost"] for gpu in (*before, *back))
    assert back[1]["utilization"] == 50
    for gpus in (after, later):
        assert [gpu["lost"] for gpu in gpus] == [False, True, False]
        assert gpus[1]["utilization"] is None
        assert gpus[2]["utilization"] == 50
    gone, returned = told["notes"]
    assert gone.startswith("GPU 1 no longer answers")
    assert returned == "GPU 1 answers again"


def test_of_a_gpu_that_comes_and_goes_only_the_first_times_are_said(record: Record) -> None:
    script = """
for turn in range(20):
    change("count 1", *(["gpu0.fail.all 15"] if turn % 2 == 0 else []))
    shoot()
tell()
"""
    told = record(["count 1"], script)
    assert len(told["notes"]) == 10
    assert told["notes"][-1] == "GPU 0 answers again; further changes are not logged"


def test_gpus_are_found_by_their_uuid(record: Record) -> None:
    """The driver's own numbers may change between the inspection and the samples."""
    script = """
uuids = [gpu.uuid for gpu in inspect_host().gpus]
change("count 2", f"gpu0.uuid {uuids[1]}", f"gpu1.uuid {uuids[0]}", "gpu0.util 10", "gpu1.util 20")
shoot(); tell()
"""
    told = record(["count 2"], script)
    assert [(gpu["index"], gpu["utilization"]) for gpu in told["shots"][0][0]] == [(0, 20), (1, 10)]


def test_a_slice_has_its_own_memory_and_its_gpu_s_temperature(record: Record) -> None:
    told = record(["count 1", "mig 1", "slices 1", "total 10240", "temp 55"], "shoot(); tell()")
    ((gpu,), _) = told["shots"][0]
    assert gpu["memory_total_bytes"] == 10 << 30
    assert gpu["temperature"] == 55
    assert gpu["utilization"] is None


@pytest.mark.slow
@pytest.mark.parametrize("hung", ["gpu1.", ""])
def test_a_call_that_hangs_holds_up_neither_other_devices_nor_the_end(record: Record, hung: str) -> None:
    script = f"""
shoot()
GpuPoller.ROUND, GpuPoller.STALE = 0.1, 1.5
change("count 3", "{hung}hang.nvmlDeviceGetPowerUsage 1")
while not notes:
    shoot()
    time.sleep(0.1)
shoot()
sampler.close()
tell(alive=sampler._poller._thread.is_alive(), left=[pid for pid in Driver.running if psutil.pid_exists(pid)])
"""
    told = record(["count 3"], script)
    first, last = told["shots"][0], told["shots"][-1]
    assert first[0][0]["utilization"] == 50
    assert told["shots"][1][0][1]["utilization"] == 50  # the last answer holds for a moment
    goes_on = 50 if hung else None
    assert [gpu["utilization"] for gpu in last[0]] == [goes_on, None, goes_on]
    assert not any(gpu["lost"] for gpu in last[0])
    assert last[1]["memory_total_bytes"] > 0
    (note,) = told["notes"]
    said = (
        "GPU 1 has not answered for 2 s" if hung else "no telemetry: the NVIDIA driver did not answer for 2 s"
    )
    assert note.startswith(said)
    assert not told["alive"]
    assert told["left"] == []  # the process that was in the call


def test_a_gpu_that_is_always_slow_keeps_its_figures_and_is_said_to_be_slow(record: Record) -> None:
    script = """
GpuPoller.ROUND, GpuPoller.STALE = 0.1, 0.3
shoot()
while not any("slowly" in note for note in notes):
    shoot()
    time.sleep(0.05)
held = [shoot()[1].utilization for _ in range(10) if not time.sleep(0.1)]
sampler.close()
tell(held=held)
"""
    told = record(["count 2", "gpu1.slow.nvmlDeviceGetPowerUsage 700"], script)
    assert 50 in told["held"]
    (note,) = (note for note in told["notes"] if "slowly" in note)
    assert note.startswith("GPU 1 answers slowly: a sample of it took ")


def test_a_gpu_that_was_slow_has_figures_again(record: Record) -> None:
    script = """
shoot()
GpuPoller.ROUND, GpuPoller.STALE = 0.1, 0.3
change("count 2", "gpu0.util 20", "gpu1.hang.nvmlDeviceGetPowerUsage 1")
while shoot()[1].utilization is not None or not notes:
    time.sleep(0.05)
change("count 2", "util 77")
while shoot()[1].utilization is None:
    time.sleep(0.05)
sampler.close()
tell()
"""
    told = record(["count 2"], script)
    assert [gpu["utilization"] for gpu in told["shots"][-1][0]] == [77, 77]
    assert [note.split(":")[0] for note in told["notes"]] == [
        "GPU 1 has not answered for 0 s",
        "GPU 1 answers again",
    ]


def test_figures_return_when_the_driver_does(record: Record) -> None:
    script = """
GpuPoller.ROUND, GpuPoller.STALE = 0.1, 0.4
change("count 1", "hang.nvmlDeviceGetPowerUsage 1")
while shoot()[0].utilization is not None or not notes:
    time.sleep(0.1)
change("count 1", "util 77")
while shoot()[0].utilization is None:
    time.sleep(0.1)
sampler.close()
tell(alive=sampler._poller._thread.is_alive())
"""
    told = record(["count 1"], script)
    assert told["shots"][-1][0][0]["power_watts"] == 250.5
    assert len(told["notes"]) == 1
    assert not told["alive"]


def test_a_driver_that_aborts_is_asked_again_by_another_process(record: Record) -> None:
    script = """
GpuPoller.ROUND, GpuPoller.STALE, GpuPoller.PAUSES = 0.1, 0.4, (0.1, 0.2)
change("count 2", "gpu1.abort.nvmlDeviceGetTemperature 1")
while shoot()[0].utilization is not None or not notes:
    time.sleep(0.05)
change("count 2", "util 77")
while shoot()[0].utilization is None:
    time.sleep(0.05)
sampler.close()
tell()
"""
    told = record(["count 2"], script)
    assert [gpu["utilization"] for gpu in told["shots"][-1][0]] == [77, 77]
    (note,) = told["notes"]
    assert note.startswith("no telemetry: the ")


def test_the_process_that_asks_ends_with_its_parent_even_in_a_call_that_hangs(record: Record) -> None:
    script = """
shoot()
change("count 1", "hang.nvmlDeviceGetPowerUsage 1")
GpuPoller.ROUND = 0.1
shoot()
tell(asking=list(Driver.running))
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    told = record(["count 1"], script, status=-signal.SIGKILL)
    (asking,) = told["asking"]
    wait_for(lambda: has_ended(asking))


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_without_a_driver_the_samples_are_empty_and_one_note_says_why(record: Record) -> None:
    start = SCRIPT + "sampler = DeviceSampler([Gpu(index=2, uuid='GPU-x', name='x')], lambda: [])\n"
    told = record(["fail.nvmlInitWithFlags 9"], "shoot(); shoot(); sampler.close(); tell()", start)
    for gpus, _ in told["shots"]:
        assert gpus[0]["index"] == 2
        assert gpus[0]["utilization"] is None
        assert gpus[0]["lost"] is False
    (note,) = told["notes"]
    assert "not loaded" in note


def test_without_gpus_no_driver_is_asked(record: Record) -> None:
    start = SCRIPT + "sampler = DeviceSampler([], lambda: [])\n"
    told = record([], "shoot(); sampler.close(); tell(started=bool(Driver.running))", start)
    assert told["shots"][0][0] == []
    assert told["notes"] == []
    assert told["started"] is False


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (None, None),
        (0, ()),
        (0x1, ()),
        (0x2, ()),
        (0x100, ()),
        (0x103, ()),
        (0x4, ("power cap",)),
        (0x5, ("power cap",)),
        (0x8, ("slowdown (hardware)",)),
        (0x48, ("thermal (hardware)",)),
        (0x88, ("power brake",)),
        (0x30, ("sync boost", "thermal (software)")),
        (0x1004, ("power cap", "other (0x1000)")),
    ],
)
def test_throttle_reasons_in_words(reasons: int | None, words: tuple[str, ...] | None) -> None:
    assert throttle_words(reasons) == words
