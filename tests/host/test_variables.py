"""Environment variables that change figures are recorded, and those that distort them named."""

from __future__ import annotations

from pathlib import Path

import pytest
from gpubench_tui.engine.host import findings as module
from gpubench_tui.engine.host.facts import Cpu, Gpu, Host, Software
from gpubench_tui.engine.host.findings import findings
from gpubench_tui.engine.host.variables import harmful_variables, recorded_variables

HOST = Host("bench", Cpu("cpu", (0, 1), 2, 1 << 36), Software("3.11", "Linux", "2.13.0", "13.0", "0.28.0"))


def test_only_what_may_change_figures_is_recorded() -> None:
    environment = {
        "HOME": "/home/ada",
        "NCCL_ALGO": "Ring",
        "NCCL_SOCKET_IFNAME": "=lo",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "TORCHELASTIC_RUN_ID": "7",
        "TORCH_HOME": "/cache",
        "TORCHINDUCTOR_BENCHMARK_KERNEL": "1",
        "PYTORCH_ALLOC_CONF": "expandable_segments:True",
        "OMP_NUM_THREADS": "4",
    }
    assert recorded_variables(environment) == (
        "NCCL_ALGO=Ring OMP_NUM_THREADS=4 PYTORCH_ALLOC_CONF=expandable_segments:True "
        "TORCHINDUCTOR_BENCHMARK_KERNEL=1"
    )
    assert recorded_variables({"HOME": "/"}) == "none"


@pytest.mark.parametrize(
    ("name", "harmful", "harmless"),
    [
        ("CUDA_LAUNCH_BLOCKING", "1", "0"),
        ("NVIDIA_TF32_OVERRIDE", "0", "1"),
        ("NCCL_P2P_DISABLE", "1", "0"),
        ("NCCL_DEBUG", "TRACE", "WARN"),
        ("TORCH_DISTRIBUTED_DEBUG", "DETAIL", "OFF"),
        ("TORCH_COMPILE_DISABLE", "1", ""),
        ("CUDA_DEVICE_MAX_CONNECTIONS", "1", "8"),
    ],
)
def test_a_variable_that_distorts_figures_is_named(
    name: str, harmful: str, harmless: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert harmful_variables({name: harmless}) == []
    monkeypatch.setenv(name, harmful)
    (found,) = [finding for finding in findings(HOST, tmp_path) if name in finding.text]
    assert found.level == "warning"
    assert found.text.startswith(f"{name}={harmful} is set: ")
    assert found.remedy == f"unset {name}"


@pytest.mark.parametrize(
    ("host", "files", "warned"),
    [
        (HOST, ["nvidia0", "nvidia1", "nvidiactl"], True),
        (HOST, ["nvidiactl", "null"], False),
        (Host("b", HOST.cpu, Software("3.11", "Linux", "2.13.0")), ["nvidia0"], False),
        (Host("b", HOST.cpu, Software("3.11", "Linux", "2.13.0", "13.0", driver="550")), ["nvidia0"], False),
        (Host("b", HOST.cpu, HOST.software, (Gpu(0, "GPU-0", "H200"),)), ["nvidia0"], False),
    ],
    ids=["a container without NVML", "no GPU", "torch without CUDA", "GPUs hidden on purpose", "GPUs"],
)
def test_gpus_that_only_torch_can_see_are_a_warning(
    host: Host, files: list[str], warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEVICE_FILES", tmp_path)
    for name in files:
        (tmp_path / name).touch()
    found = [
        finding for finding in findings(host, tmp_path) if "NVIDIA_DRIVER_CAPABILITIES" in finding.remedy
    ]
    assert len(found) == warned
    if warned:
        assert found[0].level == "warning"
        assert "nvidia0, nvidia1" in found[0].text
