from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from gpubench_tui.engine.host.cgroup import cpu_quota, memory_limit
from gpubench_tui.engine.host.cpu import inspect_cpu, interleave
from gpubench_tui.engine.host.cpu_meter import CpuMeter

BUSY = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2 = {"proc/self/cgroup": "0::/job/step\n"}
V1 = {"proc/self/cgroup": "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n"}


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        (V2, None),
        (V2 | {"sys/fs/cgroup/job/step/cpu.max": "max 100000\n"}, None),
        (V2 | {"sys/fs/cgroup/job/step/cpu.max": "150000 100000\n"}, 1.5),
        (V2 | {"sys/fs/cgroup/job/cpu.max": "400000 100000", "sys/fs/cgroup/job/step/cpu.max": "max 1"}, 4),
        (V2 | {"sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
        ({"proc/self/cgroup": "0::/../other\n", "sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
        (V1 | {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1"}, None),
        (
            V1
            | {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            2.5,
        ),
        (
            V1
            | {
                "sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
    ],
)
def test_cpu_quota(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    assert cpu_quota(lay(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        (V2 | {"sys/fs/cgroup/job/step/memory.max": "max\n"}, None),
        (V2 | {"sys/fs/cgroup/job/step/memory.max": "max", "sys/fs/cgroup/job/memory.max": "4096"}, 4096),
        (V1 | {"sys/fs/cgroup/memory/memory.limit_in_bytes": "8192\n"}, 8192),
    ],
)
def test_memory_limit(tmp_path: Path, files: dict[str, str], limit: int | None) -> None:
    assert memory_limit(lay(tmp_path, files)) == limit


def test_one_logical_cpu_of_each_core_comes_first() -> None:
    assert interleave([{0, 4}, {1, 5}, {2, 6}]) == [0, 1, 2, 4, 5, 6]
    assert interleave([{0, 1}, {2, 3}, {7}]) == [0, 2, 7, 1, 3]


@pytest.fixture
def four_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("no affinity here")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})


def topology(*siblings: str) -> dict[str, str]:
    folder = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    return {folder.format(cpu): text for cpu, text in enumerate(siblings)}


def test_siblings_come_last(tmp_path: Path, four_cpus: None) -> None:
    lay(
        tmp_path,
        topology("0-1", "0-1", "2-3", "2-3") | {"proc/cpuinfo": "model name\t: Some CPU\nflags : a\n"},
    )
    cpu, notes = inspect_cpu(tmp_path)
    assert cpu.cores == (0, 2, 1, 3)
    assert cpu.physical == 2
    assert cpu.model == "Some CPU"
    assert notes == []


def test_without_sysfs_each_logical_cpu_is_a_core(tmp_path: Path, four_cpus: None) -> None:
    cpu, _ = inspect_cpu(tmp_path)
    assert cpu.cores == (0, 1, 2, 3)
    assert cpu.physical == 4
    assert cpu.model


@pytest.mark.parametrize(
    ("quota", "cores", "physical"), [("50000", (0,), 1), ("250000", (0, 2), 2), ("300000", (0, 2, 1), 2)]
)
def test_a_quota_limits_the_cores(
    tmp_path: Path, four_cpus: None, quota: str, cores: tuple[int, ...], physical: int
) -> None:
    files = topology("0-1", "0-1", "2-3", "2-3") | V2 | {"sys/fs/cgroup/cpu.max": f"{quota} 100000"}
    cpu, notes = inspect_cpu(lay(tmp_path, files))
    assert cpu.cores == cores
    assert cpu.physical == physical
    assert [note for note in notes if "CPU quota" in note]


def test_a_memory_limit_is_the_memory(tmp_path: Path) -> None:
    cpu, _ = inspect_cpu(lay(tmp_path, V2 | {"sys/fs/cgroup/memory.max": str(1 << 20)}))
    assert cpu.memory_bytes == 1 << 20


def test_this_machine() -> None:
    cpu, _ = inspect_cpu()
    assert cpu.cores
    assert len(set(cpu.cores)) == len(cpu.cores)
    assert 1 <= cpu.physical <= len(cpu.cores)
    assert 0 < cpu.memory_bytes <= psutil.virtual_memory().total
    if sys.platform == "linux":
        assert set(cpu.cores) <= os.sched_getaffinity(0)


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    yield process
    process.kill()
    process.wait()


def works(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until the process has computed for so long, however busy the machine is."""
    watched = psutil.Process(process.pid)
    until = watched.cpu_times().user + seconds
    while watched.cpu_times().user < until:
        time.sleep(0.02)


def test_the_first_sample_is_of_a_real_span() -> None:
    sample = CpuMeter(lambda: [os.getpid()]).sample()
    assert len(sample.per_core) == psutil.cpu_count()
    assert all(0 <= percent <= 100 for percent in sample.per_core)
    assert 0 < sample.memory_used_bytes < sample.memory_total_bytes
    assert sample.session_memory_bytes > 1 << 20


def test_a_busy_process_is_seen_in_the_session_and_on_the_cores(busy: subprocess.Popen[bytes]) -> None:
    meter = CpuMeter(lambda: [busy.pid])
    works(busy, 0.2)
    sample = meter.sample()
    assert 0 < sample.session_percent < 120
    assert max(sample.per_core) > 0


def test_a_process_counts_from_its_second_sample_on(busy: subprocess.Popen[bytes]) -> None:
    works(busy, 0.2)
    pids: list[int] = []
    meter = CpuMeter(lambda: pids)
    meter.sample()
    pids.append(busy.pid)
    time.sleep(0.15)
    assert meter.sample().session_percent == 0  # what it used before is in no sample
    works(busy, 0.1)
    assert meter.sample().session_percent > 0


def test_a_process_started_since_the_last_sample_counts_whole(busy: subprocess.Popen[bytes]) -> None:
    pids: list[int] = []
    meter = CpuMeter(lambda: pids)
    meter._since_boot = 0.0 if meter._since_boot is not None else None  # as if the last sample was before it
    pids.append(busy.pid)
    started = time.monotonic()
    works(busy, 0.3)
    spent = meter.sample().session_percent / 100 * (time.monotonic() - started + 0.1)
    assert spent > 0.25 or meter._since_boot is None


def test_what_a_child_used_counts_once_it_has_been_waited_for() -> None:
    meter = CpuMeter(lambda: [os.getpid()])
    started = meter._at
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    spent = meter.sample().session_percent / 100 * (time.monotonic() - started)
    assert spent > 0.45


@pytest.fixture
def core(busy: subprocess.Popen[bytes]) -> int:
    """A core on which the busy process runs and nowhere else."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("processes cannot be pinned here")
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(busy.pid, {core})
    return core


def test_other_programs_are_measured_on_the_cores_of_the_session(
    busy: subprocess.Popen[bytes], core: int
) -> None:
    meter = CpuMeter(lambda: [os.getpid()], lambda: {core})
    works(busy, 0.5)
    sample = meter.sample()
    assert sample.others_percent is not None and 50 < sample.others_percent < 110


def test_the_sessions_own_processes_are_not_others(busy: subprocess.Popen[bytes], core: int) -> None:
    meter = CpuMeter(lambda: [busy.pid], lambda: {core})
    works(busy, 0.5)
    sample = meter.sample()
    assert sample.others_percent is not None
    assert sample.others_percent == pytest.approx(sample.per_core[core] - sample.session_percent, abs=15)


@pytest.mark.parametrize("cores", [(), (100_000,)])
def test_without_known_cores_there_is_no_share_of_others(cores: tuple[int, ...]) -> None:
    assert CpuMeter(lambda: [os.getpid()], lambda: cores).sample().others_percent is None


def test_a_process_that_vanishes_is_no_error(busy: subprocess.Popen[bytes]) -> None:
    meter = CpuMeter(lambda: [busy.pid, 2**22 + 1])
    assert meter.sample().session_memory_bytes > 0
    busy.kill()
    busy.wait()
    time.sleep(0.15)
    sample = meter.sample()
    assert sample.session_percent == 0
    assert sample.session_memory_bytes == 0


def test_two_samples_in_a_moment_say_the_same() -> None:
    meter = CpuMeter(lambda: [os.getpid()])
    first = meter.sample()
    meter.SHORTEST = 60.0
    second = meter.sample()
    assert (second.per_core, second.session_percent) == (first.per_core, first.session_percent)
