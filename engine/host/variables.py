"""Environment variables that change what torch and its libraries do, and so what is measured."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import NamedTuple

PREFIXES = (
    *("ATEN_", "CUBLAS", "CUDA_", "CUDNN_", "DNNL_", "GLOO_", "GOMP_", "KMP_", "MKL_", "NCCL_"),
    *("NVIDIA_TF32_", "OMP_", "ONEDNN_", "PYTORCH_", "TORCH", "TRITON_"),
)
WITHOUT_EFFECT = frozenset(
    {
        # Set by this program or by elastic, equally in every run.
        *("CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES", "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"),
        *("PYTORCH_NVML_BASED_CUDA_CHECK", "TORCH_NCCL_ASYNC_ERROR_HANDLING"),
        # Folders.
        *("CUDA_HOME", "CUDA_PATH", "CUDA_CACHE_PATH", "TORCH_HOME", "TORCHINDUCTOR_CACHE_DIR"),
        *("TRITON_CACHE_DIR", "TRITON_HOME"),
    }
)
OFF = frozenset({"", "0", "false", "off", "no", "n"})


class Harm(NamedTuple):
    """Effect of a variable that distorts measurements."""

    effect: str
    values: frozenset[str] | None = None
    """Values that have the effect, in lower case; None: all but those that switch something off."""


HARMS = {
    "CUDA_LAUNCH_BLOCKING": Harm("the host waits for every kernel, and nothing overlaps"),
    "NVIDIA_TF32_OVERRIDE": Harm("tf32 runs compute in fp32", frozenset({"0"})),
    "NCCL_P2P_DISABLE": Harm("GPUs exchange data through the memory of the host"),
    "NCCL_SHM_DISABLE": Harm("GPUs without peer access exchange data through sockets"),
    "NCCL_NVLS_ENABLE": Harm("NVSwitches do not reduce", frozenset({"0"})),
    "NCCL_ALGO": Harm("NCCL does not choose the fastest algorithm itself"),
    "NCCL_PROTO": Harm("NCCL does not choose the fastest protocol itself"),
    "NCCL_BLOCKING_WAIT": Harm("the host waits for every collective"),
    "TORCH_NCCL_BLOCKING_WAIT": Harm("the host waits for every collective"),
    "NCCL_DEBUG": Harm("NCCL logs every call", frozenset({"trace"})),
    "TORCH_DISTRIBUTED_DEBUG": Harm("collectives are checked as they run", frozenset({"detail"})),
    "CUDA_DEVICE_MAX_CONNECTIONS": Harm("streams share one hardware queue", frozenset({"1"})),
    "PYTORCH_NO_CUDA_MEMORY_CACHING": Harm("every tensor is allocated by the driver"),
    "TORCH_COMPILE_DISABLE": Harm("compile = true has no effect"),
    "TORCHDYNAMO_DISABLE": Harm("compile = true has no effect"),
    "ATEN_CPU_CAPABILITY": Harm("the CPU's vector units are not used", frozenset({"default"})),
    "DNNL_VERBOSE": Harm("oneDNN prints every operation"),
    "ONEDNN_VERBOSE": Harm("oneDNN prints every operation"),
    "MKL_VERBOSE": Harm("MKL prints every operation"),
}


def recorded_variables(environment: Mapping[str, str] = os.environ) -> str:
    """Return the variables that may change figures as `NAME=VALUE ...`, sorted; `none` if none is set."""
    found = [
        f"{name}={value}"
        for name, value in sorted(environment.items())
        if name.startswith(PREFIXES) and name not in WITHOUT_EFFECT and not name.startswith("TORCHELASTIC_")
    ]
    return " ".join(found) or "none"


def switches_on(recorded: str, names: Collection[str]) -> bool:
    """Return whether recorded variables (see `recorded_variables`) switch on what one of these names."""
    found = (part.partition("=") for part in recorded.split())
    return any(name in names and value.lower() not in OFF for name, _, value in found)


def harmful_variables(environment: Mapping[str, str] = os.environ) -> list[tuple[str, str]]:
    """Return the variables that distort measurements, as `NAME=VALUE`, with their effects."""
    found = []
    for name, harm in HARMS.items():
        value = environment.get(name, "").strip()
        has_effect = value.lower() in harm.values if harm.values else value.lower() not in OFF
        if name in environment and has_effect:
            found.append((f"{name}={value}", harm.effect))
    return found
