"""GPUs and MIG slices as NVML reports them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..facts import Gpu, GpuSample
from .nvml import (
    CLOCK_SM,
    ECC_CORRECTED,
    ECC_SINCE_LOAD,
    ECC_UNCORRECTED,
    MEMORY_V2,
    MOST_LINKS,
    NO_NUMBER,
    NO_SIZE,
    P2P_OK,
    P2P_READ,
    P2P_UNKNOWN,
    PCIE_RECEIVED,
    PCIE_SENT,
    SWITCH_LINK,
    GpuLost,
    Nvml,
)
from .processes import ProcessesOfGpu
from .throttle import throttle_words

SWITCH = "NVSwitch"
SELDOM = 4
"""Samples from one question for what takes long, or changes seldom, to the next."""


class _SeldomAsked(NamedTuple):
    """Figures that are asked for with some samples only; the driver measures the traffic for 20 ms each."""

    pcie_sent: float | None = None
    pcie_received: float | None = None
    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None


class NvmlDevice:
    """A GPU, or a MIG slice of one.

    Memory, utilisation and processes are a slice's own. Temperature, power, clocks, their limits and the
    cores nearby are those of the GPU that it is part of (`whole`).
    """

    def __init__(
        self, nvml: Nvml, handle: Any, whole: Any = None, *, index: int, uuid: str, name: str
    ) -> None:
        self._nvml = nvml
        self._handle = handle
        self._whole = whole or handle
        self.index = index
        self.uuid = uuid
        self.name = name
        self.pci_bus_id: str | None = None
        self.mig: bool | None = None
        self.slices: list[NvmlDevice] = []
        self._processes = ProcessesOfGpu(nvml, handle)
        self._samples = 0
        """Number of samples taken."""
        self._seldom = _SeldomAsked()
        self.other_name: str | None = None
        """A slice's name in the form of older drivers: MIG-GPU-<uuid>/<instance>/<compute instance>."""

    def renumber(self, index: int) -> None:
        """Set the place in PCI bus order, also of the slices."""
        for device in (self, *self.slices):
            device.index = index

    def facts(self) -> Gpu | None:
        """Return the device's facts; None when it no longer answers."""
        try:
            total, used = self._memory()
            capability = self._ask_whole("nvmlDeviceGetCudaComputeCapability")
            return Gpu(
                index=self.index,
                uuid=self.uuid,
                name=self.name,
                memory_bytes=total,
                compute_capability=None if capability is None else (capability[0], capability[1]),
                pci_bus_id=self.pci_bus_id,
                power_limit_watts=self._power_limit(),
                sm_clock_max_mhz=self._clock_limit(),
                ecc=self._is_on("nvmlDeviceGetEccMode"),
                persistence=self._is_on("nvmlDeviceGetPersistenceMode"),
                mig=self.mig,
                memory_used_bytes=used,
                processes=self._processes.owned(),
                pcie_generation=self._pcie("nvmlDeviceGetCurrPcieLinkGeneration"),
                pcie_generation_max=self._pcie("nvmlDeviceGetMaxPcieLinkGeneration"),
                pcie_width=self._pcie("nvmlDeviceGetCurrPcieLinkWidth"),
                pcie_width_max=self._pcie("nvmlDeviceGetMaxPcieLinkWidth"),
                near_cores=self._near_cores(),
            )
        except GpuLost:
            return None

    def sample(self) -> GpuSample:
        """Return a sample of the device; one that answers every question with an unknown error is lost."""
        self._nvml.heard()
        try:
            sample = self._sample()
        except GpuLost:
            return GpuSample(index=self.index, lost=True)
        return sample if self._nvml.heard() else GpuSample(index=self.index, lost=True)

    def energy_joules(self) -> float | None:
        """Return the energy used since the driver was loaded, in J; None for a slice, of unknown share."""
        try:
            millijoules = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        except GpuLost:
            return None
        return None if millijoules is None else millijoules / 1000

    def nvlinks(self) -> Counter[str]:
        """Count the active NVLinks to each PCI bus id, or to an NVSwitch."""
        ends: Counter[str] = Counter()
        try:
            for link in range(MOST_LINKS):
                if not self._ask(("nvmlDeviceGetNvLinkState", link)):
                    continue
                if self._ask(("nvmlDeviceGetNvLinkRemoteDeviceType", link)) == SWITCH_LINK:
                    ends[SWITCH] += 1
                elif bus_id := _bus_id(self._ask(("nvmlDeviceGetNvLinkRemotePciInfo", link))):
                    ends[bus_id] += 1
        except GpuLost:
            ends.clear()
        return ends

    def common_ancestor(self, other: NvmlDevice) -> int | None:
        """Return NVML's topology level at which the paths of two GPUs meet."""
        try:
            level: int | None = self._ask(("nvmlDeviceGetTopologyCommonAncestor", other._handle))
        except GpuLost:
            return None
        return level

    def peer_access(self, other: NvmlDevice) -> bool | None:
        """Whether this GPU can read the other one's memory directly, over NVLink or PCIe."""
        try:
            status = self._ask(("nvmlDeviceGetP2PStatus", other._handle, P2P_READ))
        except GpuLost:
            return None
        return None if status in (None, P2P_UNKNOWN) else bool(status == P2P_OK)

    def identify(self) -> None:
        """Find the place on the bus and the MIG slices; raises `GpuLost`."""
        self.pci_bus_id = _bus_id(self._ask("nvmlDeviceGetPciInfo"))
        mode = self._ask("nvmlDeviceGetMigMode")
        self.mig = None if mode is None else bool(mode[0])
        self.slices = list(self._find_slices()) if self.mig else []

    def _find_slices(self) -> Iterator[NvmlDevice]:
        for position in range(self._ask("nvmlDeviceGetMaxMigDeviceCount") or 0):
            handle = self._ask(("nvmlDeviceGetMigDeviceHandleByIndex", position))
            uuid = None if handle is None else self._nvml.ask("nvmlDeviceGetUUID", of=(handle,))
            if uuid is None:
                continue
            name = self._nvml.ask("nvmlDeviceGetName", of=(handle,)) or f"{self.name} MIG"
            part = NvmlDevice(self._nvml, handle, self._handle, index=self.index, uuid=uuid, name=name)
            part.pci_bus_id, part.mig = self.pci_bus_id, True
            instances = part._ask("nvmlDeviceGetGpuInstanceId"), part._ask("nvmlDeviceGetComputeInstanceId")
            part.other_name = f"MIG-{self.uuid}/{instances[0]}/{instances[1]}"
            yield part

    def _sample(self) -> GpuSample:
        total, used = self._memory()
        utilization = self._ask("nvmlDeviceGetUtilizationRates")
        reasons = self._ask_whole(
            "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"
        )
        return GpuSample(
            index=self.index,
            utilization=None if utilization is None else _number(utilization.gpu),
            memory_used_bytes=used,
            memory_total_bytes=total,
            temperature=_number(
                self._ask_whole(("nvmlDeviceGetTemperatureV", 0), ("nvmlDeviceGetTemperature", 0))
            ),
            power_watts=_watts(self._ask_whole("nvmlDeviceGetPowerUsage")),
            power_limit_watts=self._power_limit(),
            sm_clock_mhz=_number(self._ask_whole(("nvmlDeviceGetClockInfo", CLOCK_SM))),
            sm_clock_max_mhz=self._clock_limit(),
            throttle=throttle_words(reasons),
            processes=self._processes.at_work(),
            pcie_generation=self._pcie("nvmlDeviceGetCurrPcieLinkGeneration"),
            pcie_width=self._pcie("nvmlDeviceGetCurrPcieLinkWidth"),
            **self._asked_seldom()._asdict(),
        )

    def _asked_seldom(self) -> _SeldomAsked:
        if self._samples % SELDOM == 0:
            traffic, errors = "nvmlDeviceGetPcieThroughput", "nvmlDeviceGetTotalEccErrors"
            self._seldom = _SeldomAsked(
                _kilobytes(self._ask_whole((traffic, PCIE_SENT))),
                _kilobytes(self._ask_whole((traffic, PCIE_RECEIVED))),
                self._ask_whole((errors, ECC_CORRECTED, ECC_SINCE_LOAD)),
                self._ask_whole((errors, ECC_UNCORRECTED, ECC_SINCE_LOAD)),
            )
        self._samples += 1
        return self._seldom

    def _near_cores(self) -> tuple[int, ...] | None:
        """Return the logical CPUs of the GPU's NUMA node, from a mask in words of 64 bits."""
        words = self._ask_whole(("nvmlDeviceGetCpuAffinity", (os.cpu_count() or 1) // 64 + 1))
        if words is None:
            return None
        mask = sum(word << 64 * place for place, word in enumerate(words))
        return tuple(core for core in range(mask.bit_length()) if mask >> core & 1)

    def _pcie(self, function: str) -> int | None:
        """Return a PCIe generation or number of lanes; None for the 0 that some devices off PCIe give."""
        value: int | None = self._ask_whole(function)
        return None if value in (None, 0, NO_NUMBER) else value

    def _memory(self) -> tuple[int | None, int | None]:
        """Return total and used bytes; version 2 does not count what the driver reserves as used."""
        memory = self._ask(("nvmlDeviceGetMemoryInfo", MEMORY_V2), "nvmlDeviceGetMemoryInfo")
        return (None, None) if memory is None else (_size(memory.total), _size(memory.used))

    def _clock_limit(self) -> float | None:
        return _number(self._ask_whole(("nvmlDeviceGetMaxClockInfo", CLOCK_SM)))

    def _is_on(self, function: str) -> bool | None:
        """Return whether a mode is on, of which some functions give the present and the next state."""
        mode = self._ask_whole(function)
        if isinstance(mode, list | tuple):
            mode = mode[0]
        return None if mode is None else bool(mode)

    def _power_limit(self) -> float | None:
        return _watts(self._ask_whole("nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetPowerManagementLimit"))

    def _ask(self, *calls: str | tuple[Any, ...]) -> Any:
        return self._nvml.ask(*calls, of=(self._handle,))

    def _ask_whole(self, *calls: str | tuple[Any, ...]) -> Any:
        return self._nvml.ask(*calls, of=(self._whole,))


def all_devices(nvml: Nvml) -> tuple[list[NvmlDevice | None], int]:
    """Return all GPUs in PCI bus order, None for one that does not answer, and how many are closed."""
    handles, closed = nvml.handles()
    devices = [None if handle is None else _identified(nvml, handle) for handle in handles]
    # NVML's own order is usually that of the bus; it is kept where a GPU does not tell its place.
    if all(device and device.pci_bus_id for device in devices):
        devices.sort(key=lambda device: (device and device.pci_bus_id) or "")
    for index, device in enumerate(devices):
        if device is not None:
            device.renumber(index)
    return devices, closed


def find_device(nvml: Nvml, gpu: Gpu) -> NvmlDevice | None:
    """Find a GPU or MIG slice that was inspected before, by its UUID; None when it does not answer."""
    try:
        handle = nvml.ask(("nvmlDeviceGetHandleByUUID", gpu.uuid))
        if handle is None:
            return None
        whole = None
        if gpu.uuid.startswith("MIG-"):
            whole = nvml.ask("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", of=(handle,))
    except GpuLost:
        return None
    return NvmlDevice(nvml, handle, whole, index=gpu.index, uuid=gpu.uuid, name=gpu.name)


def _identified(nvml: Nvml, handle: Any) -> NvmlDevice | None:
    try:
        uuid = nvml.ask("nvmlDeviceGetUUID", of=(handle,))
        if uuid is None:
            return None
        name = nvml.ask("nvmlDeviceGetName", of=(handle,)) or "NVIDIA GPU"
        device = NvmlDevice(nvml, handle, index=0, uuid=uuid, name=name)
        device.identify()
    except GpuLost:
        return None
    return device


def _number(value: int | None) -> float | None:
    return None if value is None or value == NO_NUMBER else float(value)


def _watts(milliwatts: int | None) -> float | None:
    value = _number(milliwatts)
    return None if value is None else value / 1000


def _kilobytes(value: int | None) -> float | None:
    number = _number(value)
    return None if number is None else number * 1000


def _size(value: int) -> int | None:
    return None if value == NO_SIZE else value


def _bus_id(pci: Any) -> str | None:
    return None if pci is None else f"{pci.domain:08X}:{pci.bus:02X}:{pci.device:02X}.0"
