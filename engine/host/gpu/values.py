"""The values that NVML's functions tell, in words: what is n/a where a driver lacks one."""

from __future__ import annotations

from collections.abc import Iterable

VALUES = {
    "nvmlDeviceGetClockInfo": "clocks",
    "nvmlDeviceGetComputeRunningProcesses_v3": "processes on GPUs",
    "nvmlDeviceGetCount": "GPUs",
    "nvmlDeviceGetCpuAffinity": "the cores near each GPU",
    "nvmlDeviceGetCudaComputeCapability": "compute capability",
    "nvmlDeviceGetCurrPcieLinkGeneration": "PCIe links",
    "nvmlDeviceGetCurrPcieLinkWidth": "PCIe links",
    "nvmlDeviceGetCurrentClocksEventReasons": "throttling",
    "nvmlDeviceGetEccMode": "ECC",
    "nvmlDeviceGetEnforcedPowerLimit": "power limits",
    "nvmlDeviceGetHandleByUUID": "samples of GPUs",
    "nvmlDeviceGetMaxClockInfo": "maximum clocks",
    "nvmlDeviceGetMaxPcieLinkGeneration": "PCIe links",
    "nvmlDeviceGetMaxPcieLinkWidth": "PCIe links",
    "nvmlDeviceGetMemoryInfo": "memory",
    "nvmlDeviceGetMigMode": "MIG",
    "nvmlDeviceGetName": "names of GPUs",
    "nvmlDeviceGetNvLinkRemoteDeviceType": "NVLinks",
    "nvmlDeviceGetNvLinkRemotePciInfo": "NVLinks",
    "nvmlDeviceGetNvLinkState": "NVLinks",
    "nvmlDeviceGetP2PStatus": "access between GPUs",
    "nvmlDeviceGetPciInfo": "PCI addresses",
    "nvmlDeviceGetPcieThroughput": "PCIe traffic",
    "nvmlDeviceGetPersistenceMode": "persistence mode",
    "nvmlDeviceGetPowerUsage": "power",
    "nvmlDeviceGetProcessUtilization": "the load of each process",
    "nvmlDeviceGetTemperatureV": "temperature",
    "nvmlDeviceGetTopologyCommonAncestor": "paths between GPUs",
    "nvmlDeviceGetTotalEccErrors": "ECC errors",
    "nvmlDeviceGetTotalEnergyConsumption": "energy",
    "nvmlDeviceGetUUID": "UUIDs of GPUs",
    "nvmlDeviceGetUtilizationRates": "utilisation",
    "nvmlSystemGetCudaDriverVersion_v2": "the driver's CUDA version",
    "nvmlSystemGetDriverVersion": "the driver's version",
}
"""Values by the function that tells them: of several that tell the same, the first that is asked."""
MIG_PARTS = (
    *("nvmlDeviceGetMaxMig", "nvmlDeviceGetMig", "nvmlDeviceGetDeviceHandleFromMig"),
    *("nvmlDeviceGetGpuInstance", "nvmlDeviceGetComputeInstance"),
)
"""Beginnings of the names of those that tell of MIG slices."""


def values_of(functions: Iterable[str]) -> str:
    """Return the values that these functions tell, in words: `memory, MIG`."""
    return ", ".join(dict.fromkeys(map(_value_of, functions)))


def _value_of(function: str) -> str:
    if function in VALUES:
        return VALUES[function]
    return "MIG slices" if function.startswith(MIG_PARTS) else f"what {function} tells"
