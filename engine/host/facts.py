"""Facts of a machine and samples of its devices, as plain data. `None` means "not available", never zero."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""Integer of 64 bits; larger ones in a file are refused where it is read, not where they overflow."""


class Gpu(Struct, frozen=True):
    """One GPU that this process may use, in PCI bus order."""

    index: Int64
    """Position among all GPUs of the machine in PCI bus order (what `nvidia-smi` prints)."""
    uuid: str
    name: str
    memory_bytes: Int64 | None = None
    compute_capability: tuple[Int64, Int64] | None = None
    pci_bus_id: str | None = None
    power_limit_watts: float | None = None
    sm_clock_max_mhz: float | None = None
    """Highest clock of the multiprocessors."""
    ecc: bool | None = None
    """Whether the memory corrects errors."""
    persistence: bool | None = None
    """Whether the driver stays loaded while nothing uses the GPU."""
    mig: bool | None = None
    memory_used_bytes: Int64 | None = None
    """Memory in use when the machine was inspected, by any process."""
    processes: tuple[GpuProcess, ...] | None = None
    """Compute processes on the GPU when the machine was inspected."""
    pcie_generation: Int64 | None = None
    """Generation when the machine was inspected; an idle GPU lowers it."""
    pcie_generation_max: Int64 | None = None
    """Highest generation that both GPU and machine support."""
    pcie_width: Int64 | None = None
    """Lanes, when the machine was inspected."""
    pcie_width_max: Int64 | None = None
    near_cores: tuple[Int64, ...] | None = None
    """Logical CPUs of the NUMA node that the GPU is attached to."""


class GpuProcess(Struct, frozen=True):
    """A process on a GPU."""

    pid: Int64
    name: str | None = None
    memory_bytes: Int64 | None = None
    user: str | None = None
    """Owner of the process; None where this user may not know, as of processes outside a container."""
    utilization: float | None = None
    """Share of the last sampling period in which its kernels ran, percent; only in samples."""


class Link(Struct, frozen=True):
    """Connection of two GPUs; `kind` as `nvidia-smi topo` writes it: `NV4`, `PIX`, `SYS`."""

    a: Int64
    b: Int64
    kind: str
    peer_access: bool | None = None
    """Whether they can read each other's memory directly, not through that of the host."""


class Cpu(Struct, frozen=True):
    """The processor and the part of it that this process may use."""

    model: str
    cores: tuple[Int64, ...]
    """Logical CPUs in this process's affinity mask, one per physical core first, then their siblings."""
    physical: Int64
    """Number of distinct physical cores among `cores`."""
    memory_bytes: Int64
    load_average: float | None = None
    """Load average of the minute before the machine was inspected."""


class Software(Struct, frozen=True):
    """Versions of the software, read without importing torch."""

    python: str
    platform: str
    torch: str | None = None
    torch_cuda: str | None = None
    """CUDA version that torch was built for; None for a CPU build."""
    torchvision: str | None = None
    driver: str | None = None
    driver_cuda: str | None = None
    """Newest CUDA version that the driver supports."""


class Host(Struct, frozen=True):
    """A machine, inspected once before a session."""

    name: str
    cpu: Cpu
    software: Software
    gpus: tuple[Gpu, ...] = ()
    """Visible GPUs only: `CUDA_VISIBLE_DEVICES` has been honoured."""
    links: tuple[Link, ...] = ()
    variables: str | None = None
    """Environment variables that may change figures, as `NAME=VALUE ...`; None where not recorded."""
    notes: tuple[str, ...] = ()
    """Sentences on what could not be found out, and why (no driver, NVML missing, ...)."""


class GpuSample(Struct, frozen=True):
    """State of one GPU at one moment, from NVML."""

    index: Int64
    utilization: float | None = None
    """Share of the last sampling period in which a kernel ran, percent."""
    memory_used_bytes: Int64 | None = None
    memory_total_bytes: Int64 | None = None
    temperature: float | None = None
    """Degrees Celsius."""
    power_watts: float | None = None
    power_limit_watts: float | None = None
    sm_clock_mhz: float | None = None
    sm_clock_max_mhz: float | None = None
    throttle: tuple[str, ...] | None = None
    """Reasons for a clock below its maximum, in words; empty when there is none."""
    processes: tuple[GpuProcess, ...] | None = None
    pcie_generation: Int64 | None = None
    pcie_width: Int64 | None = None
    """Lanes."""
    pcie_sent: float | None = None
    """Traffic from the GPU over PCIe, in bytes/s, up to two seconds old."""
    pcie_received: float | None = None
    """Traffic to the GPU over PCIe, likewise."""
    ecc_corrected: Int64 | None = None
    """Memory errors that were corrected since the driver was loaded."""
    ecc_uncorrected: Int64 | None = None
    """Memory errors since then that could not be corrected."""
    lost: bool = False
    """Whether the GPU no longer answers."""
    others_percent: float | None = None
    """Sum of the utilisations of other programs' processes; None where the driver does not tell them, or
    lists none of the session's own."""


class CpuSample(Struct, frozen=True):
    """State of the machine and of the session's own processes at one moment, from psutil."""

    per_core: tuple[float, ...]
    """Percent busy, for every logical CPU of the machine."""
    memory_used_bytes: Int64
    memory_total_bytes: Int64
    session_percent: float
    """CPU time of the session's processes; 100 is one core."""
    session_memory_bytes: Int64
    """Resident memory of the session's processes; shared pages count in each."""
    others_percent: float | None = None
    """Share of the CPUs of the running ranks that other programs used, percent. The counters advance in
    steps, so that a quiet machine has values around 0, some below. None: no run, or a version that did not
    measure it."""
