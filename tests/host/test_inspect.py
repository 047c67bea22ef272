from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gpubench_tui.engine.host import gpu as gpu_room
from gpubench_tui.engine.host.facts import GpuProcess, Link
from gpubench_tui.engine.host.gpu.values import values_of
from nvml_standin import Machine, build

from .conftest import Inspect, Run


def uuid(gpu: int) -> str:
    return f"GPU-{0xA0 + gpu:08x}-0000-4000-8000-000000000000"


@pytest.mark.parametrize("count", [1, 2, 8, 16])
def test_every_gpu_is_found_in_order(inspect: Inspect, count: int) -> None:
    host = inspect(f"count {count}")
    assert [gpu.index for gpu in host.gpus] == list(range(count))
    assert [gpu.uuid for gpu in host.gpus] == [uuid(index) for index in range(count)]
    assert len(host.links) == count * (count - 1) // 2


def test_a_gpus_facts(inspect: Inspect) -> None:
    host = inspect("count 1", "capability 86", "used 2048", f"processes {os.getpid()}:1024,999999:NA")
    (gpu,) = host.gpus
    assert gpu.name == "NVIDIA Stand-in"
    assert (gpu.memory_bytes, gpu.memory_used_bytes) == (80 << 30, 2 << 30)
    assert gpu.compute_capability == (8, 6)
    assert gpu.pci_bus_id == "00000000:10:00.0"
    assert gpu.power_limit_watts == 700
    assert (gpu.ecc, gpu.persistence) == (True, False) and gpu.sm_clock_max_mhz is not None
    assert gpu.mig is False
    assert gpu.processes is not None
    ours, gone = gpu.processes
    assert ours.pid == os.getpid()
    assert ours.name
    assert ours.memory_bytes == 1 << 30
    assert gone == GpuProcess(999999)
    assert (host.software.driver, host.software.driver_cuda) == ("550.54.15", "12.4")


def test_the_name_that_another_process_gives_itself_is_plain(inspect: Inspect) -> None:
    rename = r"ctypes.CDLL(None).prctl(15, b'a\x1b[2J\nb\xff\xe2\x80\xae')"
    script = f"import ctypes; {rename}; print(flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline()
    (gpu,) = inspect("count 1", f"processes {other.pid}:1024").gpus
    other.communicate(b"\n")
    assert gpu.processes is not None
    assert gpu.processes[0].name == r"a\x1b[2J b\xff\u202e"


def test_the_cores_near_a_gpu_are_known(inspect: Inspect) -> None:
    first, second, third = inspect(
        "count 3", "gpu0.cpus 0xf", "gpu1.cpus 0xf000", "gpu2.fail.nvmlDeviceGetCpuAffinity 3"
    ).gpus
    assert first.near_cores == (0, 1, 2, 3)
    assert second.near_cores == (12, 13, 14, 15)
    assert third.near_cores is None


def test_what_a_gpu_does_not_tell_is_none(inspect: Inspect) -> None:
    unsupported = ("total", "capability", "power_limit", "mig", "processes")
    (gpu,) = inspect("count 1", *(f"{key} NA" for key in unsupported)).gpus
    assert gpu.memory_bytes is gpu.memory_used_bytes is gpu.compute_capability is None
    assert gpu.power_limit_watts is gpu.mig is gpu.processes is None


def test_order_is_that_of_the_bus_whatever_the_driver_says(inspect: Inspect) -> None:
    host = inspect("count 3", "gpu0.bus 200", "gpu1.bus 3", "gpu2.bus 100")
    assert [(gpu.index, gpu.uuid) for gpu in host.gpus] == [(0, uuid(1)), (1, uuid(2)), (2, uuid(0))]


def test_no_gpu(inspect: Inspect) -> None:
    host = inspect("count 0")
    assert host.gpus == ()
    assert "the NVIDIA driver found no GPU" in host.notes


def test_no_library(inspect: Inspect, tmp_path: Path) -> None:
    """The loader looks in the folder first and finds no library there that it can use."""
    broken = tmp_path / "broken" / "libnvidia-ml.so.1"
    broken.parent.mkdir()
    broken.write_bytes(b"no library")
    host = inspect("count 2", library=broken)
    assert host.gpus == ()
    assert [note for note in host.notes if "libnvidia-ml.so.1 was not found" in note]


@pytest.mark.parametrize(
    ("code", "words"),
    [(9, "not loaded"), (4, "may not use"), (18, "different versions"), (999, "NVML does not start")],
)
def test_a_driver_that_does_not_start_is_one_note(inspect: Inspect, code: int, words: str) -> None:
    host = inspect("count 2", f"fail.nvmlInitWithFlags {code}")
    assert host.gpus == ()
    assert host.software.driver is None
    assert len([note for note in host.notes if words in note]) == 1


def test_a_driver_that_hangs_is_left(inspect: Inspect) -> None:
    host = inspect("count 2", "gpu1.hang.nvmlDeviceGetName 1", patience=0.5)
    assert host.gpus == ()
    assert [note for note in host.notes if "did not answer within" in note]


@pytest.mark.parametrize("function", ["nvmlInitWithFlags", "nvmlDeviceGetName"])
def test_a_driver_that_aborts_ends_the_process_that_asks_and_nothing_else(
    inspect: Inspect, function: str
) -> None:
    host = inspect("count 2", f"abort.{function} 1")
    assert host.gpus == ()
    assert "the process that queries the NVIDIA driver was ended by SIGABRT: no GPU is used" in host.notes


def test_a_gpu_that_is_lost_keeps_its_number(inspect: Inspect) -> None:
    host = inspect("count 3", "gpu1.fail.all 15")
    assert [(gpu.index, gpu.uuid) for gpu in host.gpus] == [(0, uuid(0)), (2, uuid(2))]
    assert "GPU 1 does not answer" in host.notes


def test_a_gpu_that_is_closed_to_the_user_is_not_numbered(inspect: Inspect) -> None:
    host = inspect("count 3", "gpu0.fail.nvmlDeviceGetHandleByIndex_v2 4")
    assert [(gpu.index, gpu.uuid) for gpu in host.gpus] == [(0, uuid(1)), (1, uuid(2))]
    assert [note for note in host.notes if "may not open 1 more" in note]


def test_missing_functions_are_said_once_with_the_remedy(inspect: Inspect, tmp_path: Path) -> None:
    old = build(tmp_path, without=["nvmlDeviceGetMigMode", "nvmlDeviceGetEnforcedPowerLimit"])
    host = inspect("count 4", library=old)
    assert [gpu.power_limit_watts for gpu in host.gpus] == [None] * 4
    (note,) = [note for note in host.notes if "lacks" in note]
    assert "nvmlDeviceGetEnforcedPowerLimit, nvmlDeviceGetMigMode" in note
    assert note.endswith("so these values are n/a: power limits, MIG; a newer driver provides them")


def test_each_function_that_may_be_missing_has_its_value_in_words() -> None:
    text = "".join(file.read_text() for file in Path(gpu_room.__file__).parent.glob("*.py"))
    asked = set(re.findall(r'"(nvml[DS]\w+)"', text))
    wordless = {name for name in asked if f"what {name}" in values_of([name])}
    assert wordless == {
        # asked only where a newer one gives no answer
        "nvmlDeviceGetComputeRunningProcesses_v2",
        "nvmlDeviceGetCurrentClocksThrottleReasons",
        "nvmlDeviceGetPowerManagementLimit",
        "nvmlDeviceGetTemperature",
        "nvmlSystemGetCudaDriverVersion",
    }


def test_an_older_function_serves_where_the_newer_is_missing(inspect: Inspect, tmp_path: Path) -> None:
    old = build(tmp_path, without=["nvmlDeviceGetMemoryInfo_v2"])
    host = inspect("count 1", "used 100", library=old)
    assert host.gpus[0].memory_used_bytes == 612 << 20  # with what the driver reserves
    assert not [note for note in host.notes if "lacks" in note]


@pytest.mark.parametrize(
    ("value", "visible"),
    [("1,0", [0, 1]), ("", []), ("-1", []), ("3,9,1", [3]), (f"{uuid(2)},GPU-000000a0", [0, 2])],
)
def test_cuda_visible_devices_is_honoured(inspect: Inspect, value: str, visible: list[int]) -> None:
    host = inspect("count 4", CUDA_VISIBLE_DEVICES=value)
    assert [gpu.index for gpu in host.gpus] == visible
    hidden = [note for note in host.notes if "hides every GPU" in note]
    assert len(hidden) == (not visible)


def test_visible_devices_are_numbered_by_the_bus(inspect: Inspect) -> None:
    lines = ("count 3", "gpu0.bus 200", "gpu1.bus 3", "gpu2.bus 100")
    assert [gpu.uuid for gpu in inspect(*lines, CUDA_VISIBLE_DEVICES="0").gpus] == [uuid(1)]


def test_cuda_s_other_numbering_is_said_where_it_can_differ(inspect: Inspect) -> None:
    def warned(*lines: str, **environment: str) -> bool:
        return any("PCI bus order" in note for note in inspect(*lines, **environment).notes)

    different = ("count 2", "gpu1.name NVIDIA Other")
    assert warned(*different, CUDA_VISIBLE_DEVICES="0")
    assert not warned(*different, CUDA_VISIBLE_DEVICES="0", CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert not warned(*different, CUDA_VISIBLE_DEVICES=uuid(0))
    assert not warned("count 2", CUDA_VISIBLE_DEVICES="0")


def test_gpus_are_chosen_by_their_index_on_the_machine(inspect: Inspect) -> None:
    host = inspect("count 8", gpus=[6, 2], CUDA_VISIBLE_DEVICES="2,4,6")
    assert [gpu.index for gpu in host.gpus] == [2, 6]
    assert host.links == (Link(2, 6, "PHB", True),)
    assert inspect("count 8", gpus=[]).gpus == ()


@pytest.mark.parametrize(
    ("gpus", "sentence"),
    [
        ([0], r"GPU 0 is hidden or divided \(usable here: 2, 4\)"),
        ([2, 8], r"there is no GPU 8 \(usable here: 2, 4\)"),
        ([-1], "there is no GPU -1"),
        ([2, 2], "named twice"),
    ],
)
def test_a_gpu_that_cannot_be_chosen_is_named(inspect: Inspect, gpus: list[int], sentence: str) -> None:
    with pytest.raises(ValueError, match=rf"^ValueError: .*{sentence}"):
        inspect("count 8", gpus=gpus, CUDA_VISIBLE_DEVICES="2,4")


def test_choosing_gpus_without_a_driver(inspect: Inspect) -> None:
    with pytest.raises(ValueError, match=r"^ValueError: there is no GPU 0 \(no GPU is usable here\)"):
        inspect("count 0", gpus=[0])


def test_nvlinks_between_two_gpus(inspect: Inspect) -> None:
    host = inspect(
        "count 3", "gpu0.links 4", "gpu0.link_to 1", "gpu1.links 4", "gpu1.link_to 0", "topology 50"
    )
    assert host.links == (Link(0, 1, "NV4", True), Link(0, 2, "SYS", True), Link(1, 2, "SYS", True))


def test_nvlinks_through_a_switch_reach_every_gpu(inspect: Inspect) -> None:
    host = inspect("count 3", "links 18")
    assert [link.kind for link in host.links] == ["NV18"] * 3


@pytest.mark.parametrize(
    ("level", "kind"), [(0, "PIX"), (10, "PIX"), (20, "PXB"), (30, "PHB"), (40, "NODE"), (50, "SYS")]
)
def test_topology_levels(inspect: Inspect, level: int, kind: str) -> None:
    assert inspect("count 2", f"topology {level}").links == (Link(0, 1, kind, True),)


@pytest.mark.parametrize(("status", "access"), [("0", True), ("5", False), ("6", None), ("NA", None)])
def test_peer_access_between_gpus(inspect: Inspect, status: str, access: bool | None) -> None:
    (link,) = inspect("count 2", f"p2p {status}").links
    assert link.peer_access is access


def test_a_driver_that_cannot_tell_of_peer_access(inspect: Inspect, tmp_path: Path) -> None:
    host = inspect("count 2", library=build(tmp_path, without=["nvmlDeviceGetP2PStatus"]))
    assert host.links == (Link(0, 1, "PHB"),)
    assert len([note for note in host.notes if "nvmlDeviceGetP2PStatus" in note]) == 1


def test_the_pcie_link_of_a_gpu(inspect: Inspect) -> None:
    lines = ("pcie_gen 1", "pcie_gen_max 4", "pcie_width 8", "gpu1.pcie_width NA", "gpu1.pcie_gen 0")
    first, other = inspect("count 2", *lines).gpus
    assert (first.pcie_generation, first.pcie_generation_max) == (1, 4)
    assert (first.pcie_width, first.pcie_width_max) == (8, 16)
    assert other.pcie_generation is other.pcie_width is None
    assert (other.pcie_generation_max, other.pcie_width_max) == (4, 16)


def test_a_link_of_which_nothing_is_known_is_left_out(inspect: Inspect) -> None:
    assert inspect("count 2", "topology NA", "links NA").links == ()


def test_torch_without_cuda_is_said_only_where_there_are_gpus(inspect: Inspect, tmp_path: Path) -> None:
    write_torch(tmp_path, "2.6.0+cpu", "None")
    environment = {"PYTHONPATH": str(tmp_path)}
    host = inspect("count 2", **environment)
    assert (host.software.torch, host.software.torch_cuda) == ("2.6.0+cpu", None)
    assert [note for note in host.notes if "built without CUDA" in note]
    assert not [note for note in inspect("count 0", **environment).notes if "built without CUDA" in note]


@pytest.mark.parametrize(("cuda", "too_old"), [("12.8", False), ("13.0", True)])
def test_a_driver_too_old_for_torch(inspect: Inspect, tmp_path: Path, cuda: str, too_old: bool) -> None:
    write_torch(tmp_path, "2.9.0", repr(cuda))
    host = inspect("count 1", "cuda 12040", PYTHONPATH=str(tmp_path))
    assert host.software.torch_cuda == cuda
    assert any("update the driver" in note for note in host.notes) == too_old


def test_torch_is_not_imported(run: Run, machine: Machine) -> None:
    machine.set("count 1")
    done = run(
        "import sys; from gpubench_tui.engine.host.inspect import inspect_host; host = inspect_host();"
        "print(host.software.torch is not None, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    assert done.stdout.split() == ["True", "False", "False"]


def write_torch(folder: Path, version: str, cuda: str) -> None:
    package = folder / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('torch was imported')")
    (package / "version.py").write_text(
        "from typing import Optional\n"
        f"__version__ = '{version}'\ndebug = False\ncuda: Optional[str] = {cuda}\nhip: Optional[str] = None\n"
    )


def mig(*more: str) -> tuple[str, ...]:
    return ("count 3", "gpu1.mig 1", "gpu1.slices 2", "total 10240", *more)


def test_a_slice_named_alone_is_a_device(inspect: Inspect) -> None:
    for name in ("MIG-000000b1-0001", f"MIG-{uuid(1)}/8/0"):
        (gpu,) = inspect(*mig(), CUDA_VISIBLE_DEVICES=name).gpus
        assert (gpu.index, gpu.uuid) == (1, "MIG-000000b1-0001-5000-8000-000000000000")
        assert gpu.name == "NVIDIA Stand-in MIG 1g.10gb"
        assert gpu.mig is True
        assert gpu.memory_bytes == 10 << 30
        assert gpu.compute_capability == (9, 0)  # its GPU's
        assert (gpu.pcie_generation, gpu.pcie_width) == (5, 16)


def test_a_divided_gpu_stands_for_its_first_slice(inspect: Inspect) -> None:
    host = inspect(*mig(), CUDA_VISIBLE_DEVICES="1")
    assert [gpu.uuid[:17] for gpu in host.gpus] == ["MIG-000000b1-0000"]
    assert [note for note in host.notes if "of 2 MIG slices only the first" in note]


def test_slices_are_left_out_beside_whole_gpus(inspect: Inspect) -> None:
    host = inspect(*mig())
    assert [gpu.index for gpu in host.gpus] == [0, 2]
    assert [note for note in host.notes if "GPU 1 is divided by MIG and left out" in note]


def test_a_divided_gpu_without_a_slice(inspect: Inspect) -> None:
    host = inspect("count 1", "mig 1", "slices 0")
    assert host.gpus == ()
    assert "GPU 0 is divided by MIG but has no slice to compute on" in host.notes


OLDER = """
import importlib.machinery, importlib.util, inspect, sys
here = sys.modules[__name__]
paths = [path for path in sys.path if path != __file__.rpartition("/")[0]]
spec = importlib.machinery.PathFinder.find_spec("pynvml", paths)
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)

def in_bytes(function):
    def call(*given):
        value = function(*given)
        return value.encode() if isinstance(value, str) else value
    return call

for name, value in vars(real).items():
    if name == "nvmlMemory_v2" or name.startswith("NVML_") and "ERROR" not in name:
        continue
    setattr(here, name, in_bytes(value) if inspect.isfunction(value) else value)

def nvmlDeviceGetMemoryInfo(handle):
    return real.nvmlDeviceGetMemoryInfo(handle)
"""


def test_an_older_pynvml_in_front_still_tells_of_the_gpus(inspect: Inspect, tmp_path: Path) -> None:
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "pynvml.py").write_text(OLDER)
    host = inspect("count 2", "used 2048", PYTHONPATH=str(tmp_path / "older"))
    assert [(gpu.name, gpu.uuid, gpu.memory_bytes) for gpu in host.gpus] == [
        ("NVIDIA Stand-in", uuid(0), 80 << 30),
        ("NVIDIA Stand-in", uuid(1), 80 << 30),
    ]
    assert (host.software.driver, host.software.driver_cuda) == ("550.54.15", "12.4")


@pytest.mark.parametrize("source", ["", "raise RuntimeError('odd')", "import nowhere_to_be_found"])
def test_another_module_of_that_name_is_told_in_a_sentence(
    source: str, inspect: Inspect, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "pynvml.py").write_text(source)
    host = inspect("count 2", PYTHONPATH=str(tmp_path / "other"))
    assert not host.gpus
    assert any("install nvidia-ml-py" in note and "\n" not in note for note in host.notes)
