"""What is said of a machine before a session starts."""

from pathlib import Path

import pytest
from gpubench_tui.engine.host import findings as module
from gpubench_tui.engine.host.facts import Cpu, Gpu, GpuProcess, Host, Software
from gpubench_tui.engine.host.findings import findings

GIB = 1 << 30


def host(*gpus: Gpu) -> Host:
    software = Software("3.11", "Linux", torch="2.13.0", torch_cuda="13.0", torchvision="0.28.0")
    return Host(name="bench", cpu=Cpu("cpu", (0, 1), 2, 64 * GIB), software=software, gpus=gpus)


def gpu(index: int, used: float, *processes: GpuProcess, mig: bool = False) -> Gpu:
    return Gpu(
        index,
        f"GPU-{index}",
        "NVIDIA H200",
        140 * GIB,
        memory_used_bytes=int(used * GIB),
        processes=processes,
        mig=mig,
    )


def said_of(tmp_path: Path, *gpus: Gpu) -> list[str]:
    return [finding.text for finding in findings(host(*gpus), tmp_path) if "GPU" in finding.text]


@pytest.mark.parametrize(
    ("used", "text"),
    [
        ([0.5, 13], None),
        ([0.5, 70], "GPU 1 is in use by processes not visible here, which hold 70.0 GiB"),
        ([70, 1, 20], "GPUs 0, 2 are in use by processes not visible here, which hold 20.0 to 70.0 GiB each"),
        ([70] * 8, "GPUs 0 to 7 are in use by processes not visible here, which hold 70.0 GiB each"),
    ],
)
def test_gpus_used_by_nobody_who_can_be_seen_are_named_together(
    tmp_path: Path, used: list[float], text: str | None
) -> None:
    assert said_of(tmp_path, *map(gpu, range(8), used)) == ([text] if text else [])


def test_who_uses_a_gpu_is_said(tmp_path: Path) -> None:
    (text,) = said_of(tmp_path, gpu(0, 1), gpu(1, 70, GpuProcess(42, "python", 69 * GIB, "ada")))
    assert text == "GPU 1 is in use by python (42, ada, 69.0 GiB): figures will be too low"


def test_divided_gpus_are_named_together(tmp_path: Path) -> None:
    (text,) = said_of(tmp_path, gpu(0, 0, mig=True), gpu(1, 0, mig=True), gpu(2, 0))
    assert text.startswith("GPUs 0, 1 are divided by MIG")


@pytest.mark.parametrize(
    ("gpus", "users"), [(0, "loader workers"), (1, "loader workers"), (2, "NCCL and loader")]
)
def test_a_small_shared_memory_names_those_that_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: int, users: str
) -> None:
    monkeypatch.setattr(module, "SMALL_SHARED_MEMORY", 1 << 62)
    found = findings(host(*(gpu(index, 0) for index in range(gpus))), tmp_path)
    (text,) = [finding.text for finding in found if "/dev/shm" in finding.text]
    assert f": {users}" in text
