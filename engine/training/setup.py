"""Make a rank's process what its run asks for: devices, cores, threads and switches; and put it on record."""

from __future__ import annotations

import contextlib
import os
import platform
import random
from collections.abc import Sequence

import torch

from ..plan.plan import Device, RunSpec
from ..plan.preset import Workload
from .errors import TrainingError

Settings = dict[str, str | int | float | bool]


def claim_devices(run: RunSpec, rank: int) -> list[torch.device]:
    """The rank's devices as torch names them, its threads pinned to their cores.

    All ranks see the GPUs of the whole run, as NCCL likes it best, and no others. Must come before anything
    touches CUDA, and before this process starts threads: they inherit the cores.
    """
    own = run.devices_of(rank)
    cores = sorted({core for device in own for core in device.cores})
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    # The same in every mode: what runs on a CPU beside GPUs is one thread unless cores were given.
    torch.set_num_threads(len(cores) or 1)
    with contextlib.suppress(RuntimeError):  # it can be set only once in a process
        torch.set_num_interop_threads(1)
    if own[0].kind == "cpu":
        return [torch.device("cpu")]
    visible = list(dict.fromkeys(_cuda_name(device) for device in run.devices))
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(visible)
    if not torch.cuda.is_available() or torch.cuda.device_count() < len(visible):
        names = ", ".join(device.name for device in own)
        raise TrainingError(f"torch {torch.__version__} cannot use {names} ({', '.join(visible)})")
    devices = [torch.device("cuda", visible.index(_cuda_name(device))) for device in own]
    torch.cuda.set_device(devices[0])
    return devices


def _cuda_name(device: Device) -> str:
    return device.uuid or str(device.index)


def set_switches(workload: Workload) -> None:
    """Precision and cuDNN switches of a workload, for this process."""
    tf32 = workload.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = workload.cudnn_benchmark


def seed_everything(seed: int) -> None:
    """Forked processes start with the same random state: every rank seeds its own."""
    random.seed(seed)
    torch.manual_seed(seed)


def describe(devices: Sequence[torch.device]) -> str:
    """The rank's devices for people: `NVIDIA H200`, `2 x NVIDIA L4`, `cpu (1 thread)`."""
    if devices[0].type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu ({threads} thread{'s' if threads > 1 else ''})"
    names = [torch.cuda.get_device_name(device) for device in devices]
    different = list(dict.fromkeys(names))
    return " + ".join(f"{names.count(n)} x {n}" if names.count(n) > 1 else n for n in different)


def settings_of(run: RunSpec, rank: int, devices: Sequence[torch.device], backend: str) -> Settings:
    """Everything in which two runs must not differ if they are to be compared."""
    workload = run.workload_of(rank)
    on_gpu = devices[0].type == "cuda"
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    settings: Settings = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "device": describe(devices[:1]),
        "backend": backend,
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS", "unset"),
        "affinity": ",".join(map(str, cores)),
        "cores": len(cores),
        "matmul_tf32": torch.backends.cuda.matmul.allow_tf32,
        "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "batch_per_device": run.batch_per_device(rank),
        "global_batch": run.global_batch,
        "loader_workers": workload.loader_workers if workload.placement == "loader" else 0,
    }
    for name in (
        *("model", "classes", "image_size", "data", "images", "placement", "precision"),
        *("channels_last", "compile", "optimizer", "learning_rate", "weight_decay", "seed"),
    ):
        settings[name] = getattr(workload, name)
    if workload.data != "synthetic":
        del settings["images"]
    if workload.optimizer == "sgd":
        settings["momentum"] = workload.momentum
    settings["augment"] = ",".join(workload.augment)
    if on_gpu:
        settings["cuda"] = str(torch.version.cuda)
        settings["cudnn"] = torch.backends.cudnn.version() or 0  # type: ignore[no-untyped-call]
        settings["compute_capability"] = ".".join(map(str, torch.cuda.get_device_capability(devices[0])))
        if "nccl" in backend:
            settings["nccl"] = ".".join(map(str, torch.cuda.nccl.version()))  # type: ignore[no-untyped-call]
    return settings
